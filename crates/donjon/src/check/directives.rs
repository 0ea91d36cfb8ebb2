//! A Content Security Policy as a browser reads it: whatever wrote the header, its text counts.

/// The directives of a header, in its order; of two of one name the first counts (CSP3, 2.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directives(Vec<(String, Vec<String>)>);

impl Directives {
    pub(super) fn parse(header: &str) -> Self {
        let mut directives: Vec<(String, Vec<String>)> = Vec::new();
        for directive in header.split(';') {
            let mut words = directive.split_ascii_whitespace().map(str::to_ascii_lowercase);
            let Some(name) = words.next() else { continue };
            if !directives.iter().any(|(known, _)| *known == name) {
                directives.push((name, words.collect()));
            }
        }
        Self(directives)
    }

    /// The sources of this directive itself.
    pub(super) fn own(&self, name: &str) -> Option<&[String]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, sources)| sources.as_slice())
    }

    /// The sources that rule a kind of resource: its directive's, or those of `default-src`.
    pub(super) fn ruling(&self, name: &str) -> Option<&[String]> {
        self.own(name).or_else(|| self.own("default-src"))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.own(name).is_some()
    }

    /// All directives with their sources.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(name, sources)| (name.as_str(), sources.as_slice()))
    }
}

/// Is one of the sources this one?
pub(super) fn contains(sources: &[String], source: &str) -> bool {
    sources.iter().any(|known| known == source)
}

/// May something prove itself by a nonce or a hash? Then browsers ignore `'unsafe-inline'`.
pub(super) fn has_proof(sources: &[String]) -> bool {
    let proofs = ["'nonce-", "'sha256-", "'sha384-", "'sha512-"];
    sources.iter().any(|source| proofs.iter().any(|proof| source.starts_with(proof)))
}

/// The sources that let whole schemes or the whole web in.
pub(super) fn broad(sources: &[String]) -> impl Iterator<Item = &str> {
    let everything = ["*", "http:", "https:", "data:", "blob:", "ws:", "wss:"];
    sources.iter().map(String::as_str).filter(move |source| everything.contains(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_counts_and_case_does_not() {
        let policy =
            Directives::parse("Default-Src 'NONE';; script-src a; script-src *; upgrade-x ;");
        assert_eq!(policy.own("script-src"), Some(&["a".to_owned()][..]));
        assert_eq!(policy.ruling("object-src"), Some(&["'none'".to_owned()][..]));
        assert_eq!(policy.own("upgrade-x"), Some(&[][..]));
        assert!(!policy.has("object-src"));
        assert_eq!(Directives::parse(""), Directives::default());
    }

    #[test]
    fn what_proves_itself_and_what_lets_everything_in() {
        let sources = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(has_proof(&sources("'self' 'nonce-x'")) && has_proof(&sources("'sha256-x'")));
        assert!(!has_proof(&sources("'self' https://nonce-x")));
        assert_eq!(
            broad(&sources("'self' https: https://a *")).collect::<Vec<_>>(),
            ["https:", "*"]
        );
    }
}
