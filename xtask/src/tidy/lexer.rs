//! Splits Rust text into three views of the same length: code, comments, literals.

/// Each view holds its own bytes at their place and blanks elsewhere, newlines everywhere, so that
/// offsets and lines agree between the views and the text.
#[derive(Debug)]
pub(crate) struct Views {
    pub(crate) code: String,
    pub(crate) comments: String,
    pub(crate) literals: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// Good enough for text that rustc accepts: it knows nested comments, strings of every prefix, raw
/// strings, and a character from a lifetime.
pub(crate) fn views(text: &str) -> Views {
    let bytes = text.as_bytes();
    let blank: Vec<u8> = bytes.iter().map(|&b| if b == b'\n' { b } else { b' ' }).collect();
    let mut code = blank.clone();
    let mut comments = blank.clone();
    let mut literals = blank;
    let mut at = 0;
    while at < bytes.len() {
        let (kind, end) = token(bytes, at);
        let view = match kind {
            Kind::Code => &mut code,
            Kind::Comment => &mut comments,
            Kind::Literal => &mut literals,
        };
        view[at..end].copy_from_slice(&bytes[at..end]);
        at = end;
    }
    let [code, comments, literals] =
        [code, comments, literals].map(|view| String::from_utf8_lossy(&view).into_owned());
    Views { code, comments, literals }
}

pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// What begins at `at`, and where it ends.
fn token(bytes: &[u8], at: usize) -> (Kind, usize) {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        let length = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
        return (Kind::Comment, at + length);
    }
    if rest.starts_with(b"/*") {
        return (Kind::Comment, block_comment_end(bytes, at));
    }
    match literal_end(bytes, at) {
        Some(end) => (Kind::Literal, end.min(bytes.len())),
        None => (Kind::Code, at + 1),
    }
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

/// The end of the string or character that begins at `at` with its prefix, if one does.
fn literal_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut quote = at;
    let mut raw = false;
    if at == 0 || !is_word(bytes[at - 1]) {
        quote += usize::from(matches!(bytes.get(quote), Some(b'b' | b'c')));
        raw = bytes.get(quote) == Some(&b'r');
        quote += usize::from(raw);
    }
    if raw {
        let hashes = bytes[quote..].iter().take_while(|&&b| b == b'#').count();
        let is_string = bytes.get(quote + hashes) == Some(&b'"');
        return is_string.then(|| raw_end(bytes, quote + hashes + 1, hashes));
    }
    match bytes.get(quote) {
        Some(b'"') => Some(escaped_end(bytes, quote + 1, b'"')),
        Some(b'\'') => char_end(bytes, quote + 1),
        _ => None,
    }
}

fn raw_end(bytes: &[u8], start: usize, hashes: usize) -> usize {
    let mut closing = vec![b'"'];
    closing.resize(hashes + 1, b'#');
    let found = bytes[start..].windows(closing.len()).position(|window| window == closing);
    found.map_or(bytes.len(), |offset| start + offset + closing.len())
}

fn escaped_end(bytes: &[u8], start: usize, closing: u8) -> usize {
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == closing => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// A quote opens a character if an escape follows, or if one character and a quote follow;
/// otherwise it opens a lifetime, which is code.
fn char_end(bytes: &[u8], start: usize) -> Option<usize> {
    let width = match bytes.get(start)? {
        b'\\' => return Some(escaped_end(bytes, start, b'\'')),
        b'\'' => return None,
        0..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
    };
    (bytes.get(start + width) == Some(&b'\'')).then_some(start + width + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row: Rust text, and what of it is code, with runs of blanks shortened to one.
    const CODE: &[(&str, &str)] = &[
        ("a // b", "a "),
        ("a /* b /* c */ d */ e", "a e"),
        (r#"a "b // c" d"#, "a d"),
        (r#"a "\" // b" c"#, "a c"),
        (r#"a "\\" b"#, "a b"),
        (r##"a r#"b " c"# d"##, "a d"),
        (r##"a br#"b"# cr"c" b"d" c"e" f"##, "a f"),
        (r"a '\'' b", "a b"),
        ("a '\"' b", "a b"),
        ("a b'{' c", "a c"),
        ("a 'é' b", "a b"),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
        ("'outer: loop {}", "'outer: loop {}"),
        ("r#type + r", "r#type + r"),
        ("bar\"x\"", "bar"),
        ("a \"never closed", "a "),
        ("a /* never closed", "a "),
        ("a r#\"never closed\"", "a "),
        ("a \"\\", "a "),
    ];

    #[test]
    fn code_is_what_is_neither_comment_nor_literal() {
        for (text, expected) in CODE {
            let mut code = views(text).code;
            while code.contains("  ") {
                code = code.replace("  ", " ");
            }
            assert_eq!(code.trim_end(), expected.trim_end(), "{text}");
        }
    }

    #[test]
    fn comments_and_literals_have_views_of_their_own() {
        let views = views("x(\"a // b\"); // c \"d\"");
        assert_eq!(views.comments.trim(), "// c \"d\"");
        assert_eq!(views.literals.trim(), "\"a // b\"");
    }

    #[test]
    fn every_view_has_the_lines_of_the_text() {
        let text = "a\n/* b\n c */ \"d\ne\"\nfé\n";
        let views = views(text);
        for view in [&views.code, &views.comments, &views.literals] {
            assert_eq!(view.len(), text.len());
            let newlines = |text: &str| text.match_indices('\n').map(|m| m.0).collect::<Vec<_>>();
            assert_eq!(newlines(view), newlines(text));
        }
    }
}
