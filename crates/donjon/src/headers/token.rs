//! Headers whose value is one of a few words.

use std::fmt;

/// A word that is none of a header's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownToken {
    pub(super) header: &'static str,
    pub(super) token: String,
    pub(super) expected: &'static [&'static str],
}

impl fmt::Display for UnknownToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { header, token, expected } = self;
        write!(f, "{token:?} is no word of {header}: expected one of {}", expected.join(", "))
    }
}

impl std::error::Error for UnknownToken {}

/// An enum of the words of a header, which reads them in any case and writes them as the spec does.
macro_rules! tokens {
    ($(#[$doc:meta])* $name:ident of $header:literal {
        $($(#[$token_doc:meta])* $variant:ident = $token:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$token_doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// As the header has it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $token,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::headers::UnknownToken;

            /// Reads the word, in any case and with spaces around it.
            fn from_str(token: &str) -> Result<Self, Self::Err> {
                let known = |known: &&Self| known.as_str().eq_ignore_ascii_case(token.trim());
                Self::ALL.iter().find(known).copied().ok_or_else(|| $crate::headers::UnknownToken {
                    header: $header,
                    token: token.to_owned(),
                    expected: &[$($token),*],
                })
            }
        }
    };
}

pub(super) use tokens;

tokens! {
    /// May other pages show this site in a frame? Django: `X_FRAME_OPTIONS`.
    Framing of "X-Frame-Options" {
        /// No page may.
        Deny = "DENY",
        /// Pages of the same origin may.
        SameOrigin = "SAMEORIGIN",
    }
}

tokens! {
    /// What browsers tell of the page that a visitor came from. Django: `SECURE_REFERRER_POLICY`.
    ReferrerPolicy of "Referrer-Policy" {
        /// Nothing, to anybody. The site's own forms then say `Origin: null`.
        NoReferrer = "no-referrer",
        /// The whole address, but nothing from HTTPS to HTTP.
        NoReferrerWhenDowngrade = "no-referrer-when-downgrade",
        /// The origin.
        Origin = "origin",
        /// The whole address to the site itself, the origin to others.
        OriginWhenCrossOrigin = "origin-when-cross-origin",
        /// The whole address to the site itself, nothing to others.
        SameOrigin = "same-origin",
        /// The origin, but nothing from HTTPS to HTTP.
        StrictOrigin = "strict-origin",
        /// The whole address to the site itself, the origin to others, nothing from HTTPS to HTTP.
        StrictOriginWhenCrossOrigin = "strict-origin-when-cross-origin",
        /// The whole address, to anybody: with what stands in it, such as the token of a password
        /// reset.
        UnsafeUrl = "unsafe-url",
    }
}

tokens! {
    /// Which windows stay tied to those they open or were opened by. Django:
    /// `SECURE_CROSS_ORIGIN_OPENER_POLICY`.
    OpenerPolicy of "Cross-Origin-Opener-Policy" {
        /// Those of the same origin that say the same.
        SameOrigin = "same-origin",
        /// Also those that this page opens and that say nothing: payment and sign-in windows.
        SameOriginAllowPopups = "same-origin-allow-popups",
        /// Never the one that opened this page, whatever its origin.
        NoopenerAllowPopups = "noopener-allow-popups",
        /// All.
        UnsafeNone = "unsafe-none",
    }
}

tokens! {
    /// What a page may load from other origins.
    EmbedderPolicy of "Cross-Origin-Embedder-Policy" {
        /// Only what says by CORP or CORS that it may be loaded.
        RequireCorp = "require-corp",
        /// Anything, but without cookies where it does not say so.
        Credentialless = "credentialless",
        /// Anything, with cookies.
        UnsafeNone = "unsafe-none",
    }
}

tokens! {
    /// Who may load what this site serves into a page.
    ResourcePolicy of "Cross-Origin-Resource-Policy" {
        /// Pages of the same origin.
        SameOrigin = "same-origin",
        /// Pages of the same site: of all hosts below one registrable domain.
        SameSite = "same-site",
        /// All pages.
        CrossOrigin = "cross-origin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_2_words_are_read_in_any_case_and_written_in_one() {
        assert_eq!(" Same-Origin ".parse(), Ok(ReferrerPolicy::SameOrigin));
        assert_eq!("sameorigin".parse(), Ok(Framing::SameOrigin));
        for policy in ReferrerPolicy::ALL {
            assert_eq!(policy.to_string().parse(), Ok(*policy));
        }
    }

    #[test]
    fn rule_2_an_unknown_word_is_told_with_the_known_ones() {
        let error = "same-orign".parse::<OpenerPolicy>().unwrap_err().to_string();
        assert!(error.contains("\"same-orign\""), "{error}");
        assert!(error.contains("Cross-Origin-Opener-Policy"), "{error}");
        assert!(error.contains("same-origin-allow-popups"), "{error}");
        assert!("ALLOW-FROM https://a.example".parse::<Framing>().is_err());
    }
}
