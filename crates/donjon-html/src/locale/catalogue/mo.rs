//! gettext's binary catalogues (<https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html>).
//!
//! 1. No offset or length of the file is believed; all texts together are at most [`MAX_CATALOGUE`], also where they
//!    lie over each other.

use super::{Catalogue, CatalogueError, MAX_CATALOGUE, MAX_MESSAGES, PluralRule};

const MAGIC: u32 = 0x9504_12de;
const ENTRY: usize = 8;

pub(super) fn read(bytes: &[u8]) -> Result<Catalogue, CatalogueError> {
    let file = File::open(bytes)?;
    let mut catalogue = Catalogue::default();
    let mut budget = MAX_CATALOGUE;
    for index in 0..file.count {
        let pair = file.text(file.originals, index).zip(file.text(file.translations, index));
        let (original, translation) =
            pair.ok_or_else(|| broken(&format!("message {index} is cut off or not UTF-8")))?;
        budget = budget
            .checked_sub(original.len() + translation.len())
            .ok_or_else(|| broken(&format!("it holds more than {MAX_CATALOGUE} bytes of text")))?;
        add(&mut catalogue, original, translation)?;
    }
    Ok(catalogue)
}

fn broken(why: &str) -> CatalogueError {
    CatalogueError::new(format!("this is no .mo catalogue: {why}"))
}

fn add(catalogue: &mut Catalogue, original: &str, translation: &str) -> Result<(), CatalogueError> {
    if original.is_empty() {
        catalogue.rule = plural_rule(translation)?;
        return Ok(());
    }
    let (context, message) = match original.split_once('\u{4}') {
        Some((context, message)) => (Some(context), message),
        None => (None, original),
    };
    match message.split_once('\0') {
        None => catalogue.insert(context, message, translation),
        Some((singular, _)) => {
            for (index, form) in (0..).zip(translation.split('\0')) {
                catalogue.insert_form(context, singular, index, form);
            }
        }
    }
    Ok(())
}

/// The rule that a catalogue's header states.
pub(super) fn plural_rule(header: &str) -> Result<PluralRule, CatalogueError> {
    let line = header.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("plural-forms").then_some(value)
    });
    line.map_or_else(|| Ok(PluralRule::germanic()), PluralRule::from_header)
}

struct File<'a> {
    bytes: &'a [u8],
    order: fn([u8; 4]) -> u32,
    count: usize,
    originals: usize,
    translations: usize,
}

impl<'a> File<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, CatalogueError> {
        let magic = number(bytes, 0, u32::from_le_bytes);
        let order =
            if magic == Some(MAGIC as usize) { u32::from_le_bytes } else { u32::from_be_bytes };
        let header = [0, 4, 8, 12, 16].map(|offset| number(bytes, offset, order));
        let [Some(magic), Some(version), Some(count), Some(originals), Some(translations)] = header
        else {
            return Err(broken("it is too short"));
        };
        if magic != MAGIC as usize || version >> 16 > 1 {
            return Err(broken("it begins differently"));
        }
        if count > MAX_MESSAGES || bytes.len() > MAX_CATALOGUE {
            return Err(broken(&format!(
                "it holds more than {MAX_MESSAGES} messages or {MAX_CATALOGUE} bytes"
            )));
        }
        Ok(Self { bytes, order, count, originals, translations })
    }

    fn text(&self, table: usize, index: usize) -> Option<&'a str> {
        let entry = table.checked_add(index.checked_mul(ENTRY)?)?;
        let length = number(self.bytes, entry, self.order)?;
        let start = number(self.bytes, entry.checked_add(4)?, self.order)?;
        let text = self.bytes.get(start..start.checked_add(length)?)?;
        std::str::from_utf8(text).ok()
    }
}

fn number(bytes: &[u8], offset: usize, order: fn([u8; 4]) -> u32) -> Option<usize> {
    let four = bytes.get(offset..offset.checked_add(4)?)?.try_into().ok()?;
    usize::try_from(order(four)).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn build(pairs: &[(&str, &str)], order: fn(u32) -> [u8; 4]) -> Vec<u8> {
        let count = pairs.len() as u32;
        let (originals, translations) = (28, 28 + 8 * count);
        let mut start = translations + 8 * count;
        let mut tables: [Vec<u8>; 2] = Default::default();
        let mut texts = Vec::new();
        for (original, translation) in pairs {
            for (table, text) in tables.iter_mut().zip([original, translation]) {
                table.extend(order(text.len() as u32));
                table.extend(order(start));
                texts.extend(text.bytes());
                start += text.len() as u32;
            }
        }
        let header = [MAGIC, 0, count, originals, translations, 0, 0];
        header.into_iter().flat_map(order).chain(tables.concat()).chain(texts).collect()
    }

    const PAIRS: [(&str, &str); 4] = [
        ("", "Project: x\nPlural-Forms: nplurals=2; plural=(n > 1);\n"),
        ("May", "mai"),
        ("abbrev. month\u{4}May", "mai (court)"),
        ("%(num)d day\0%(num)d days", "%(num)d jour\0%(num)d jours"),
    ];

    #[test]
    fn both_byte_orders() {
        for order in [u32::to_le_bytes, u32::to_be_bytes] {
            let catalogue = read(&build(&PAIRS, order)).unwrap_or_default();
            assert_eq!(catalogue.get(None, "May"), Some("mai"));
            assert_eq!(catalogue.get(Some("abbrev. month"), "May"), Some("mai (court)"));
            assert_eq!(catalogue.get_plural(None, "%(num)d day", 0), Some("%(num)d jour"));
            assert_eq!(catalogue.get_plural(None, "%(num)d day", 2), Some("%(num)d jours"));
            assert_eq!(catalogue.get(None, "%(num)d day"), Some("%(num)d jour"));
            assert_eq!((catalogue.len(), catalogue.get(None, "")), (4, None));
        }
    }

    #[test]
    fn rule_1_no_offset_is_believed() {
        let whole = build(&PAIRS, u32::to_le_bytes);
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] = 0xff;
            let _ = read(&bytes);
        }
    }

    #[test]
    fn rule_1_texts_over_each_other_are_bounded() {
        let text = "x".repeat(1 << 20);
        let mut bytes = build(&[("a", &text)], u32::to_le_bytes);
        let (length, start) = ((1u32 << 20).to_le_bytes(), 44u32.to_le_bytes());
        bytes[8..12].copy_from_slice(&1000u32.to_le_bytes());
        let table = bytes.len() as u32;
        bytes[12..16].copy_from_slice(&table.to_le_bytes());
        bytes[16..20].copy_from_slice(&table.to_le_bytes());
        bytes.extend((0..1000).flat_map(|_| [length, start].concat()));
        assert!(read(&bytes).is_err_and(|error| error.to_string().contains("more than")));
    }
}
