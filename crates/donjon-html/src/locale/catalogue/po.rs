//! gettext's text catalogues (<https://www.gnu.org/software/gettext/manual/html_node/PO-Files.html>).
//!
//! 1. Fuzzy entries do not count, except for the header; obsolete ones (`#~`) are comments.

use super::mo::plural_rule;
use super::{Catalogue, CatalogueError, MAX_CATALOGUE};

/// The most forms of a message with a number.
const MAX_FORMS: u64 = 16;

pub(super) fn read(text: &str) -> Result<Catalogue, CatalogueError> {
    if text.len() > MAX_CATALOGUE {
        return Err(CatalogueError::new(format!(
            "the catalogue is longer than {MAX_CATALOGUE} bytes"
        )));
    }
    let mut reader = Reader::default();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let wrong = || {
            CatalogueError::new(format!("line {number} of the catalogue is no .po entry: {line:?}"))
        };
        reader.line(line.trim())?.ok_or_else(wrong)?;
    }
    reader.finish()?;
    Ok(reader.catalogue)
}

#[derive(Default)]
struct Reader {
    catalogue: Catalogue,
    entry: Entry,
    part: Part,
}

#[derive(Default)]
struct Entry {
    fuzzy: bool,
    context: Option<String>,
    message: Option<String>,
    plural: Option<String>,
    texts: Vec<(u64, String)>,
}

/// The part of an entry that the next quoted line goes on with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    None,
    Context,
    Message,
    Plural,
    Text,
}

impl Reader {
    /// `Ok(None)`: the line cannot be read.
    fn line(&mut self, line: &str) -> Result<Option<()>, CatalogueError> {
        if let Some(comment) = line.strip_prefix('#') {
            self.begin_if_complete()?;
            self.entry.fuzzy |= comment.strip_prefix(',').is_some_and(is_fuzzy);
            return Ok(Some(()));
        }
        if line.is_empty() {
            return Ok(Some(()));
        }
        let (keyword, quoted) = line.split_at(line.find('"').unwrap_or(line.len()));
        let keyword = keyword.trim_end();
        if matches!(keyword, "msgctxt" | "msgid") {
            self.begin_if_complete()?;
        }
        Ok(unquote(quoted).and_then(|text| self.text(keyword, &text)))
    }

    fn text(&mut self, keyword: &str, text: &str) -> Option<()> {
        let (part, slot) = match keyword {
            "" => return self.entry.part(self.part).map(|slot| slot.push_str(text)),
            "msgctxt" => (Part::Context, self.entry.context.insert(String::new())),
            "msgid" => (Part::Message, self.entry.message.insert(String::new())),
            "msgid_plural" => (Part::Plural, self.entry.plural.insert(String::new())),
            _ => (Part::Text, self.entry.form(form_index(keyword)?)?),
        };
        slot.push_str(text);
        self.part = part;
        Some(())
    }

    fn begin_if_complete(&mut self) -> Result<(), CatalogueError> {
        if self.entry.texts.is_empty() { Ok(()) } else { self.finish() }
    }

    fn finish(&mut self) -> Result<(), CatalogueError> {
        let entry = std::mem::take(&mut self.entry);
        self.part = Part::None;
        let Some(message) = entry.message else {
            return Ok(());
        };
        let context = entry.context.as_deref();
        if message.is_empty() && context.is_none() {
            let header = entry.texts.first().map_or("", |(_, header)| header);
            self.catalogue.rule = plural_rule(header)?;
        } else if !entry.fuzzy {
            for (index, text) in entry.texts {
                match entry.plural {
                    Some(_) => self.catalogue.insert_form(context, &message, index, &text),
                    None => self.catalogue.insert(context, &message, &text),
                }
            }
        }
        Ok(())
    }
}

impl Entry {
    fn part(&mut self, part: Part) -> Option<&mut String> {
        match part {
            Part::None => None,
            Part::Context => self.context.as_mut(),
            Part::Message => self.message.as_mut(),
            Part::Plural => self.plural.as_mut(),
            Part::Text => self.texts.last_mut().map(|(_, text)| text),
        }
    }

    fn form(&mut self, index: u64) -> Option<&mut String> {
        self.message.as_ref()?;
        self.texts.push((index, String::new()));
        self.part(Part::Text)
    }
}

fn is_fuzzy(flags: &str) -> bool {
    flags.split(',').any(|flag| flag.trim() == "fuzzy")
}

/// The index in `msgstr[2]`; 0 for `msgstr`.
fn form_index(keyword: &str) -> Option<u64> {
    match keyword.strip_prefix("msgstr")? {
        "" => Some(0),
        index => {
            let number = index.strip_prefix('[')?.strip_suffix(']')?.trim().parse().ok()?;
            (number < MAX_FORMS).then_some(number)
        }
    }
}

fn unquote(quoted: &str) -> Option<String> {
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return None,
            '\\' => text.push(unescape(letters.next()?)?),
            _ => text.push(letter),
        }
    }
    Some(text)
}

fn unescape(letter: char) -> Option<char> {
    Some(match letter {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'v' => '\x0b',
        '\\' | '"' | '\'' | '?' => letter,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GERMAN: &str = r#"
# A translator's comment.
#, fuzzy
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

#: forms.py:1
msgid "Yes"
msgstr "Ja"
msgctxt "verb"
msgid "Order"
msgstr "Be"
"stellen"

#, python-format, fuzzy
msgid "No"
msgstr "Vielleicht"

#| msgid "%(n)d dog"
msgid "%(n)d cat"
msgid_plural "%(n)d cats"
msgstr[0] "%(n)d \"Katze\"\n"
msgstr[1] "%(n)d Katzen"

msgid "untranslated"
msgstr ""

#~ msgid "old"
#~ msgstr "alt"
"#;

    #[test]
    fn rule_1_what_counts() {
        let catalogue = read(GERMAN).unwrap_or_default();
        assert_eq!(catalogue.get(None, "Yes"), Some("Ja"));
        assert_eq!(catalogue.get(Some("verb"), "Order"), Some("Bestellen"));
        assert_eq!(catalogue.get(None, "Order"), None);
        assert_eq!(catalogue.get_plural(None, "%(n)d cat", 1), Some("%(n)d \"Katze\"\n"));
        assert_eq!(catalogue.get_plural(None, "%(n)d cat", 5), Some("%(n)d Katzen"));
        for missing in ["No", "untranslated", "old", ""] {
            assert_eq!(catalogue.get(None, missing), None, "{missing}");
        }
        assert_eq!(catalogue.len(), 4);
    }

    #[test]
    fn what_is_no_catalogue_is_refused_with_its_line() {
        for bad in [
            "msgid Yes",
            "\"before\"",
            "msgid \"a\nmsgstr \"b\"",
            "msgstr \"without an id\"",
            "msgid \"\\x\"",
            "msgid \"a\"\nmsgstr[99] \"b\"",
            "msgid \"a\" \"b\"",
            "hello",
        ] {
            assert!(read(bad).is_err_and(|error| error.to_string().contains("line")), "{bad}");
        }
        assert!(read("msgid \"\"\nmsgstr \"Plural-Forms: plural=x;\"").is_err());
    }

    #[test]
    fn lines_of_windows_and_a_byte_order_mark() {
        let catalogue = read("\u{feff}msgid \"a\"\r\nmsgstr \"b\"\r\n").unwrap_or_default();
        assert_eq!(catalogue.get(None, "a"), Some("b"));
    }
}
