//! Answers as XML bytes, Coupa's default.
//!
//! Documented: the root of one record is the model's name, a list is the plural with `type="array"`, scalars
//! carry their type, null is `nil="true"`.

use quick_xml::escape::escape;

use crate::{
    json::write_plain,
    out::{Out, Scalar},
    zone::Zone,
};

/// Writes XML into a buffer, without the prolog.
pub struct Xml<'b> {
    pub buffer: &'b mut Vec<u8>,
}

impl Xml<'_> {
    fn tag(&mut self, before: &str, key: &str, after: &str) {
        for part in [before, key, after] {
            self.buffer.extend_from_slice(part.as_bytes());
        }
    }
}

impl Out for Xml<'_> {
    fn scalar(&mut self, key: &str, value: Scalar<'_>, zone: Zone) {
        let kind = match value {
            Scalar::Null => return self.tag("<", key, " nil=\"true\"/>"),
            Scalar::Int(_) => " type=\"integer\">",
            Scalar::Bool(_) => " type=\"boolean\">",
            Scalar::Dec { .. } | Scalar::DecText(_) => " type=\"decimal\">",
            Scalar::Num { .. } => " type=\"float\">",
            Scalar::Time(_) | Scalar::Day(_) => " type=\"dateTime\">",
            Scalar::Date(_) => " type=\"date\">",
            Scalar::Str(_) => ">",
        };
        self.tag("<", key, kind);
        match value {
            Scalar::Str(text) => {
                // XML 1.0 has no place for control characters.
                let clean: String = text
                    .chars()
                    .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
                    .collect();
                self.buffer
                    .extend_from_slice(escape(clean.as_str()).as_bytes());
            }
            other => write_plain(self.buffer, other, zone),
        }
        self.tag("</", key, ">");
    }

    fn open(&mut self, key: &str) {
        self.tag("<", key, ">");
    }

    fn close(&mut self, key: &str) {
        self.tag("</", key, ">");
    }

    fn open_list(&mut self, key: &str) {
        self.tag("<", key, " type=\"array\">");
    }

    fn close_list(&mut self, key: &str) {
        self.tag("</", key, ">");
    }

    fn open_item(&mut self, name: &str) {
        self.tag("<", name, ">");
    }

    fn close_item(&mut self, name: &str) {
        self.tag("</", name, ">");
    }
}

/// An error body: one `<error>` a sentence, each with its period.
pub fn errors(messages: &[String]) -> Vec<u8> {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<errors>");
    for message in messages {
        let message = message.trim_end_matches('.');
        text.push_str(&format!("<error>{}.</error>", escape(message)));
    }
    text.push_str("</errors>");
    text.into_bytes()
}
