//! Who may load what belongs to a visitor.

use donjon_core::origin::TrustedOrigins;

use crate::paths::Paths;

/// Who may load what belongs to a visitor, as a parsed value. By default the site's own pages only.
#[derive(Clone, Debug, Default)]
pub struct IsolationPolicy {
    pub(super) same_site: SameSite,
    pub(super) frames: Frames,
    pub(super) trusted: TrustedOrigins,
    pub(super) exempt: Paths,
}

/// What are the hosts below the same registrable domain?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SameSite {
    #[default]
    Strangers,
    Allowed,
}

/// May pages of other sites be navigated in their frames to this one?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Frames {
    #[default]
    Refused,
    Allowed,
}

impl IsolationPolicy {
    /// Lets all hosts of the same registrable domain load everything: `blog.example.com` what
    /// `example.com` has. Whoever takes over one of them, or writes its pages, then reads it.
    #[must_use]
    pub fn allow_same_site(mut self) -> Self {
        self.same_site = SameSite::Allowed;
        self
    }

    /// Lets other sites show this one in a frame, as far as the headers do: `X-Frame-Options` and CSP's
    /// `frame-ancestors` have a say of their own.
    #[must_use]
    pub fn allow_framing(mut self) -> Self {
        self.frames = Frames::Allowed;
        self
    }

    /// Takes the scripts of these origins, and WebSockets that they open, for the site's own. What a
    /// page loads without a script names no origin, and is not among it.
    #[must_use]
    pub fn trust(mut self, origins: TrustedOrigins) -> Self {
        self.trusted = origins;
        self
    }

    /// Looks at no request for this path or, if it ends in `/`, for what is below it. It is compared
    /// letter by letter with the path as it was sent.
    #[must_use]
    pub fn exempt_path(mut self, path: impl Into<String>) -> Self {
        self.exempt.add(path);
        self
    }

    /// Do all hosts of the domain count as the site itself?
    pub(crate) fn opens_to_siblings(&self) -> bool {
        self.same_site == SameSite::Allowed
    }

    /// Whose scripts count as the site's own.
    pub(crate) fn trusted_origins(&self) -> &TrustedOrigins {
        &self.trusted
    }
}
