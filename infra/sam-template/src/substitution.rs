//! The text that `Fn::Sub` takes.

/// A part of the text of an `Fn::Sub`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part<'t> {
    /// Text that stays as it is.
    Text(&'t str),
    /// `${!Name}`, which stands for a literal `${Name}`: the name.
    Escaped(&'t str),
    /// `${Name}` or `${Resource.Attribute}`: what is between the braces.
    Name(&'t str),
}

/// A `${` without a `}`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a `${{` is not closed; add a `}}`")]
pub struct Unclosed;

/// Splits the text of an `Fn::Sub` into its parts.
pub fn parts(text: &str) -> impl Iterator<Item = Result<Part<'_>, Unclosed>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(opened) = rest.strip_prefix("${") else {
            let (text, following) = rest.split_at(rest.find("${").unwrap_or(rest.len()));
            rest = following;
            return Some(Ok(Part::Text(text)));
        };
        let Some((name, following)) = opened.split_once('}') else {
            rest = "";
            return Some(Err(Unclosed));
        };
        rest = following;
        Some(Ok(match name.strip_prefix('!') {
            Some(literal) => Part::Escaped(literal),
            None => Part::Name(name.trim()),
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_names_from_text() {
        let found: Vec<_> = parts("a ${ Queue }${!b}${Queue.Arn} c ${d").collect();

        let expected = [
            Ok(Part::Text("a ")),
            Ok(Part::Name("Queue")),
            Ok(Part::Escaped("b")),
            Ok(Part::Name("Queue.Arn")),
            Ok(Part::Text(" c ")),
            Err(Unclosed),
        ];
        assert_eq!(found, expected);
        assert_eq!(parts("").count(), 0);
    }
}
