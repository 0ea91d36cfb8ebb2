//! Text and values inside JavaScript and JSON.
//!
//! Stops script injection (CWE-79): leaving a string, ending the script element, or starting an HTML comment from
//! within a script.
//!
//! 1. A value is written as JSON whose strings have `< > & ' / \`` and U+2028, U+2029 as `\uXXXX`, so that it is the
//!    same value in JSON, in JavaScript of every age, and inside an HTML attribute.
//! 2. Text inside a quoted string is written with Django's `escapejs` map.
//! 3. Data for a `<script type="application/json">` is written as Django's `json_script` writes it.
//! 4. What JSON cannot hold (an infinite number, an object that only prints) is written as its text; an error text
//!    never reaches the page.

use std::fmt::Write as _;

use crate::template::{Repr, Value};

/// Values nested deeper than this are written as `null`.
pub const MAX_DEPTH: usize = 64;

/// Appends `text` for the inside of a quoted JavaScript string (rule 2): Django's `escapejs`.
pub fn write_string(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\\'
            | '\''
            | '"'
            | '`'
            | '<'
            | '>'
            | '&'
            | '='
            | '-'
            | ';'
            | '\u{2028}'
            | '\u{2029}'
            | '\0'..='\x1f'
            | '\x7f'..='\u{9f}' => write_unit(out, character as u32, Hex::Upper),
            _ => out.push(character),
        }
    }
}

/// Appends `value` as JSON that is safe in a script and in an attribute (rule 1).
pub fn write_value(out: &mut String, value: &Value) {
    Json { dialect: Dialect::Script }.write(out, value, 0);
}

/// Appends `value` as Django's `json_script` does between its tags (rule 3).
pub fn write_script_data(out: &mut String, value: &Value) {
    Json { dialect: Dialect::Django }.write(out, value, 0);
}

#[derive(Clone, Copy, PartialEq)]
enum Dialect {
    Script,
    Django,
}

enum Hex {
    Upper,
    Lower,
}

struct Json {
    dialect: Dialect,
}

impl Json {
    fn write(&self, out: &mut String, value: &Value, depth: usize) {
        match value {
            _ if depth > MAX_DEPTH => out.push_str("null"),
            Value::None => out.push_str("null"),
            Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
            Value::Int(number) => drop(write!(out, "{number}")),
            Value::Float(number) if number.is_finite() => drop(write!(out, "{}", Repr(value))),
            Value::List(items) => self.list(out, items, depth),
            Value::Map(map) => self.map(out, map, depth),
            Value::Object(object) => self.object(out, object.as_ref(), depth),
            other => self.quoted(out, &other.text()),
        }
    }

    fn list(&self, out: &mut String, items: &[Value], depth: usize) {
        out.push('[');
        for (index, item) in items.iter().enumerate() {
            out.push_str(if index == 0 { "" } else { ", " });
            self.write(out, item, depth + 1);
        }
        out.push(']');
    }

    fn map(&self, out: &mut String, map: &crate::template::Map, depth: usize) {
        out.push('{');
        for (index, (key, item)) in map.iter().enumerate() {
            out.push_str(if index == 0 { "" } else { ", " });
            self.quoted(out, key);
            out.push_str(": ");
            self.write(out, item, depth + 1);
        }
        out.push('}');
    }

    fn object(&self, out: &mut String, object: &dyn crate::template::Object, depth: usize) {
        match object.items() {
            Some(items) => self.list(out, &items, depth),
            None => self.write(out, &object.display(), depth + 1),
        }
    }

    fn quoted(&self, out: &mut String, text: &str) {
        out.push('"');
        for character in text.chars() {
            self.character(out, character);
        }
        out.push('"');
    }

    fn character(&self, out: &mut String, character: char) {
        match character {
            '"' if self.dialect == Dialect::Django => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '<' | '>' | '&' => write_unit(out, character as u32, Hex::Upper),
            '"' | '\'' | '/' | '`' if self.dialect == Dialect::Script => {
                write_unit(out, character as u32, Hex::Upper)
            }
            '\0'..='\x1f' => write_unit(out, character as u32, Hex::Lower),
            '\x7f' if self.dialect == Dialect::Django => out.push(character),
            '\u{7f}'.. if self.dialect == Dialect::Django => write_units(out, character),
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                write_unit(out, character as u32, Hex::Lower)
            }
            _ => out.push(character),
        }
    }
}

fn write_units(out: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        write_unit(out, u32::from(*unit), Hex::Lower);
    }
}

fn write_unit(out: &mut String, unit: u32, hex: Hex) {
    let written = match hex {
        Hex::Upper => write!(out, "\\u{unit:04X}"),
        Hex::Lower => write!(out, "\\u{unit:04x}"),
    };
    let _ = written;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context;

    #[test]
    fn rule_1_values() {
        let values = context! { text: "</script>'`&\u{2028}\n\"", list: vec![1i64, 2] };
        let mut out = String::new();
        write_value(&mut out, &values.into());
        assert_eq!(
            out,
            r#"{"text": "\u003C\u002Fscript\u003E\u0027\u0060\u0026\u2028\n\u0022", "list": [1, 2]}"#
        );
    }

    #[test]
    fn rule_2_strings_are_django_s_escapejs() {
        let mut out = String::new();
        write_string(&mut out, "a'\"\\<>&=-;`\u{2028}\n\x7f");
        assert_eq!(
            out,
            r"a\u0027\u0022\u005C\u003C\u003E\u0026\u003D\u002D\u003B\u0060\u2028\u000A\u007F"
        );
    }

    #[test]
    fn rule_3_script_data_is_django_s() {
        let mut out = String::new();
        write_script_data(&mut out, &context! { a: "<script>&é\u{2028}" }.into());
        assert_eq!(out, r#"{"a": "\u003Cscript\u003E\u0026\u00e9\u2028"}"#);
    }

    #[test]
    fn rule_4_infinity_is_text() {
        let mut out = String::new();
        write_value(&mut out, &Value::Float(f64::INFINITY));
        assert_eq!(out, "\"inf\"");
    }
}
