//! Strings: in double quotes with the escapes of Go, or in backquotes as they stand.
//!
//! Source of the escapes: <https://go.dev/ref/spec#String_literals>.

use super::{Fault, Lexer, TokenKind};

impl Lexer<'_> {
    pub(super) fn raw(&mut self) -> Result<TokenKind, Fault> {
        let start = self.at;
        self.at += 1;
        let text = self.take_while(|c| c != '`').to_owned();
        if !self.eat("`") {
            return Err(self.malformed(start, "the string that begins here has no closing backquote"));
        }
        Ok(TokenKind::Text(text))
    }

    pub(super) fn quoted(&mut self) -> Result<TokenKind, Fault> {
        let start = self.at;
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            bytes.extend_from_slice(self.take_while(|c| !matches!(c, '"' | '\\' | '\n')).as_bytes());
            if self.eat("\"") {
                break;
            }
            if !self.rest().starts_with('\\') {
                return Err(
                    self.malformed(start, "the string that begins here has no closing `\"` on its line")
                );
            }
            self.escape(&mut bytes)?;
        }
        let text = String::from_utf8(bytes);
        text.map(TokenKind::Text)
            .map_err(|_| self.malformed(start, "the escapes of this string are not UTF-8"))
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), Fault> {
        let start = self.at;
        self.at += 1;
        let Some(escape) = self.peek() else {
            return Err(self.malformed(start, "the string ends within an escape"));
        };
        let one = match escape {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' => b'\\',
            '"' => b'"',
            '0'..='7' => return self.byte_escape(start, 3, 8, bytes),
            'x' => {
                self.at += 1;
                return self.byte_escape(start, 2, 16, bytes);
            }
            'u' | 'U' => {
                self.at += 1;
                return self.char_escape(start, if escape == 'u' { 4 } else { 8 }, bytes);
            }
            other => return Err(self.malformed(start, format!("unknown escape `\\{other}` in a string"))),
        };
        self.at += 1;
        bytes.push(one);
        Ok(())
    }

    fn byte_escape(
        &mut self,
        start: usize,
        digits: usize,
        radix: u32,
        bytes: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let code = self.code(start, digits, radix)?;
        let byte =
            u8::try_from(code).map_err(|_| self.malformed(start, "the escape is larger than a byte"))?;
        bytes.push(byte);
        Ok(())
    }

    fn char_escape(&mut self, start: usize, digits: usize, bytes: &mut Vec<u8>) -> Result<(), Fault> {
        let code = self.code(start, digits, 16)?;
        let Some(c) = char::from_u32(code) else {
            return Err(self.malformed(start, "the escape is no Unicode character"));
        };
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn code(&mut self, start: usize, digits: usize, radix: u32) -> Result<u32, Fault> {
        let text = self.rest().get(..digits).filter(|text| text.chars().all(|c| c.is_digit(radix)));
        let code = text.and_then(|text| u32::from_str_radix(text, radix).ok());
        self.at += digits;
        code.ok_or_else(|| {
            let name = if radix == 8 { "octal" } else { "hexadecimal" };
            self.malformed(start, format!("the escape needs {digits} {name} digits"))
        })
    }
}
