//! `Permissions-Policy`: which of a browser's features a page, and the frames in it, may use.

use std::collections::BTreeMap;
use std::fmt;

use donjon_core::host::split_host;

use super::token::tokens;

/// What the site's pages and the frames in them may use. A feature that is not named is as the browser
/// has it: mostly for the site itself. django-permissions-policy: `PERMISSIONS_POLICY`.
///
/// ```
/// use donjon::headers::{Allowlist, Feature, PermissionsPolicy};
///
/// let policy = PermissionsPolicy::default()
///     .feature(Feature::Camera, Allowlist::nobody())
///     .feature(Feature::Geolocation, Allowlist::itself().allow_origin("https://maps.example")?);
/// assert_eq!(policy.to_string(), r#"camera=(), geolocation=(self "https://maps.example")"#);
/// # Ok::<(), donjon::headers::AllowlistError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionsPolicy(BTreeMap<Feature, Allowlist>);

/// What reaches for a visitor's devices, surroundings, screen or money, or follows the visitor for
/// advertisements; passkeys are not among it.
const POWERFUL: [Feature; 20] = [
    Feature::Accelerometer,
    Feature::BrowsingTopics,
    Feature::Camera,
    Feature::CapturedSurfaceControl,
    Feature::ComputePressure,
    Feature::DisplayCapture,
    Feature::Geolocation,
    Feature::Gyroscope,
    Feature::Hid,
    Feature::IdleDetection,
    Feature::LocalFonts,
    Feature::Magnetometer,
    Feature::Microphone,
    Feature::Midi,
    Feature::Payment,
    Feature::ScreenWakeLock,
    Feature::Serial,
    Feature::Usb,
    Feature::WindowManagement,
    Feature::XrSpatialTracking,
];

impl PermissionsPolicy {
    /// Denies to everybody, the site included, what reaches for a visitor's devices, surroundings, screen
    /// or money, or follows the visitor for advertisements. A site that needs one of them says so with
    /// [`PermissionsPolicy::feature`].
    #[must_use]
    pub fn powerless() -> Self {
        POWERFUL
            .into_iter()
            .fold(Self::default(), |policy, feature| policy.feature(feature, Allowlist::nobody()))
    }

    /// Who may use this feature.
    #[must_use]
    pub fn feature(mut self, feature: Feature, who: Allowlist) -> Self {
        self.0.insert(feature, who);
        self
    }
}

impl fmt::Display for PermissionsPolicy {
    /// The header's value, sorted by feature, as django-permissions-policy writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (feature, who) in &self.0 {
            write!(f, "{separator}{feature}=({who})")?;
            separator = ", ";
        }
        Ok(())
    }
}

/// Who may use a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowlist(Vec<String>);

impl Allowlist {
    /// Nobody, not even the site.
    #[must_use]
    pub fn nobody() -> Self {
        Self(Vec::new())
    }

    /// The site's own pages.
    #[must_use]
    pub fn itself() -> Self {
        Self(vec!["self".to_owned()])
    }

    /// The site, and every site that it shows in a frame.
    #[must_use]
    pub fn danger_anybody() -> Self {
        Self(vec!["*".to_owned()])
    }

    /// Also frames of this origin: `https://host`, or `https://*.host` for all hosts below it, with a
    /// port where it is not the scheme's own.
    ///
    /// # Errors
    /// [`AllowlistError`] for what is no origin as a browser writes it.
    pub fn allow_origin(mut self, origin: &str) -> Result<Self, AllowlistError> {
        if !is_origin(origin) {
            return Err(AllowlistError(origin.to_owned()));
        }
        self.0.push(format!("\"{origin}\""));
        Ok(self)
    }
}

impl fmt::Display for Allowlist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

fn is_origin(text: &str) -> bool {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme));
    let Some(host) = scheme.and_then(|scheme| text.strip_prefix(scheme)) else { return false };
    let host = host.strip_prefix("*.").unwrap_or(host);
    let (name, port) = split_host(host);
    // What is written otherwise (in capitals, with a dot at the end) equals no origin of a browser's.
    let written = if port.is_empty() { name.clone() } else { format!("{name}:{port}") };
    !name.is_empty() && written == host
}

/// What a feature can't be allowed to, because it is no origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowlistError(String);

impl fmt::Display for AllowlistError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not an origin that a feature can be allowed to: expected \"https://host\" or \"https://*.host\" \
             in lower case, with a port where it is not the scheme's own, and nothing behind it; for the site itself \
             begin with Allowlist::itself()",
            self.0
        )
    }
}

impl std::error::Error for AllowlistError {}

tokens! {
    /// What a browser can do for a page: what Chromium, Firefox and Safari know, experiments included.
    Feature of "Permissions-Policy" {
        /// The motion of the device.
        Accelerometer = "accelerometer",
        /// The light around the device.
        AmbientLightSensor = "ambient-light-sensor",
        /// Announcements to screen readers.
        AriaNotify = "aria-notify",
        /// Which advertisements led to a purchase.
        AttributionReporting = "attribution-reporting",
        /// Filling in forms from what the browser keeps.
        Autofill = "autofill",
        /// Media that play without being asked.
        Autoplay = "autoplay",
        /// Bluetooth devices.
        Bluetooth = "bluetooth",
        /// What the visitor is interested in, for advertisements.
        BrowsingTopics = "browsing-topics",
        /// The camera.
        Camera = "camera",
        /// Scrolling and zooming a captured tab.
        CapturedSurfaceControl = "captured-surface-control",
        /// Client hint: the device's memory.
        ChDeviceMemory = "ch-device-memory",
        /// Client hint: the speed of the connection.
        ChDownlink = "ch-downlink",
        /// Client hint: the density of the screen.
        ChDpr = "ch-dpr",
        /// Client hint: the kind of the connection.
        ChEct = "ch-ect",
        /// Client hint: dark or light.
        ChPrefersColorScheme = "ch-prefers-color-scheme",
        /// Client hint: less motion.
        ChPrefersReducedMotion = "ch-prefers-reduced-motion",
        /// Client hint: less transparency.
        ChPrefersReducedTransparency = "ch-prefers-reduced-transparency",
        /// Client hint: the time to the server and back.
        ChRtt = "ch-rtt",
        /// Client hint: save data.
        ChSaveData = "ch-save-data",
        /// Client hint: the browser.
        ChUa = "ch-ua",
        /// Client hint: the processor.
        ChUaArch = "ch-ua-arch",
        /// Client hint: the processor's width.
        ChUaBitness = "ch-ua-bitness",
        /// Client hint: the form of the device.
        ChUaFormFactors = "ch-ua-form-factors",
        /// Client hint: the browser's version.
        ChUaFullVersion = "ch-ua-full-version",
        /// Client hint: the browser's versions.
        ChUaFullVersionList = "ch-ua-full-version-list",
        /// Client hints that scripts ask for.
        ChUaHighEntropyValues = "ch-ua-high-entropy-values",
        /// Client hint: is it a telephone?
        ChUaMobile = "ch-ua-mobile",
        /// Client hint: the device's model.
        ChUaModel = "ch-ua-model",
        /// Client hint: the operating system.
        ChUaPlatform = "ch-ua-platform",
        /// Client hint: the operating system's version.
        ChUaPlatformVersion = "ch-ua-platform-version",
        /// Client hint: 32 bits on 64.
        ChUaWow64 = "ch-ua-wow64",
        /// Client hint: the height of the window.
        ChViewportHeight = "ch-viewport-height",
        /// Client hint: the width of the window.
        ChViewportWidth = "ch-viewport-width",
        /// Client hint: the width of a picture.
        ChWidth = "ch-width",
        /// Reading the clipboard.
        ClipboardRead = "clipboard-read",
        /// Writing to the clipboard.
        ClipboardWrite = "clipboard-write",
        /// How busy the processor is.
        ComputePressure = "compute-pressure",
        /// Shared memory and exact clocks.
        CrossOriginIsolated = "cross-origin-isolated",
        /// Requests after the page is gone.
        DeferredFetch = "deferred-fetch",
        /// Small requests after the page is gone.
        DeferredFetchMinimal = "deferred-fetch-minimal",
        /// What an administrator told of the device.
        DeviceAttributes = "device-attributes",
        /// Issuing digital papers to a wallet.
        DigitalCredentialsCreate = "digital-credentials-create",
        /// Asking for digital papers.
        DigitalCredentialsGet = "digital-credentials-get",
        /// Capturing the screen.
        DisplayCapture = "display-capture",
        /// Setting `document.domain`.
        DocumentDomain = "document-domain",
        /// Media under digital rights management.
        EncryptedMedia = "encrypted-media",
        /// Scripts in frames that are not shown.
        ExecutionWhileNotRendered = "execution-while-not-rendered",
        /// Scripts in frames that are out of sight.
        ExecutionWhileOutOfViewport = "execution-while-out-of-viewport",
        /// Taking the focus without being asked.
        FocusWithoutUserActivation = "focus-without-user-activation",
        /// The whole screen.
        Fullscreen = "fullscreen",
        /// Game controllers.
        Gamepad = "gamepad",
        /// Where the visitor is.
        Geolocation = "geolocation",
        /// How the device turns.
        Gyroscope = "gyroscope",
        /// Vibration that the visitor feels.
        Haptics = "haptics",
        /// Input devices of all kinds.
        Hid = "hid",
        /// Logging in through another site (FedCM).
        IdentityCredentialsGet = "identity-credentials-get",
        /// Whether the visitor is there.
        IdleDetection = "idle-detection",
        /// What kind of visitor it is, for advertisements: gone from browsers.
        InterestCohort = "interest-cohort",
        /// Joining the visitor to an audience, for advertisements.
        JoinAdInterestGroup = "join-ad-interest-group",
        /// The layout of the keyboard.
        KeyboardMap = "keyboard-map",
        /// Guessing the language of a text.
        LanguageDetector = "language-detector",
        /// The browser's own language model.
        LanguageModel = "language-model",
        /// The fonts on the device.
        LocalFonts = "local-fonts",
        /// Hosts on the visitor's network.
        LocalNetwork = "local-network",
        /// Hosts on the visitor's network and machine.
        LocalNetworkAccess = "local-network-access",
        /// Servers on the visitor's machine.
        LoopbackNetwork = "loopback-network",
        /// Where north is.
        Magnetometer = "magnetometer",
        /// Text that is entered by hand.
        ManualText = "manual-text",
        /// Media in frames that are not shown.
        MediaPlaybackWhileNotVisible = "media-playback-while-not-visible",
        /// The microphone.
        Microphone = "microphone",
        /// Musical instruments.
        Midi = "midi",
        /// Recognising speech on the device.
        OnDeviceSpeechRecognition = "on-device-speech-recognition",
        /// Reading codes from text messages.
        OtpCredentials = "otp-credentials",
        /// Payment requests.
        Payment = "payment",
        /// A video on top of everything.
        PictureInPicture = "picture-in-picture",
        /// Reports across sites, for advertisements.
        PrivateAggregation = "private-aggregation",
        /// Issuing tokens that a visitor is trusted.
        PrivateStateTokenIssuance = "private-state-token-issuance",
        /// Using tokens that a visitor is trusted.
        PrivateStateTokenRedemption = "private-state-token-redemption",
        /// Creating passkeys.
        PublickeyCredentialsCreate = "publickey-credentials-create",
        /// Using passkeys.
        PublickeyCredentialsGet = "publickey-credentials-get",
        /// Rewriting a text by the browser's own language model.
        Rewriter = "rewriter",
        /// Choosing an advertisement in the browser.
        RunAdAuction = "run-ad-auction",
        /// Keeping the screen on.
        ScreenWakeLock = "screen-wake-lock",
        /// Serial ports.
        Serial = "serial",
        /// Storage across sites.
        SharedStorage = "shared-storage",
        /// Choosing an address by storage across sites.
        SharedStorageSelectUrl = "shared-storage-select-url",
        /// Choosing the loudspeaker.
        SpeakerSelection = "speaker-selection",
        /// Cookies of other sites, in frames.
        StorageAccess = "storage-access",
        /// Summaries by the browser's own language model.
        Summarizer = "summarizer",
        /// Requests that hold the page still.
        SyncXhr = "sync-xhr",
        /// Functions that the page offers to the browser.
        Tools = "tools",
        /// Translation by the browser.
        Translator = "translator",
        /// The `unload` event.
        Unload = "unload",
        /// USB devices.
        Usb = "usb",
        /// Holding back scrolling.
        VerticalScroll = "vertical-scroll",
        /// Virtual reality, under its old name.
        Vr = "vr",
        /// Installing an application.
        WebAppInstallation = "web-app-installation",
        /// Sharing through the device's own menu.
        WebShare = "web-share",
        /// Neural networks on the device's hardware.
        Webnn = "webnn",
        /// All screens and the windows on them.
        WindowManagement = "window-management",
        /// Writing by the browser's own language model.
        Writer = "writer",
        /// Virtual and augmented reality.
        XrSpatialTracking = "xr-spatial-tracking",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_8_a_policy_is_written_as_django_permissions_policy_writes_it() {
        let policy = PermissionsPolicy::default()
            .feature(Feature::Fullscreen, Allowlist::danger_anybody())
            .feature(Feature::Usb, Allowlist::itself())
            .feature(Feature::Camera, Allowlist::nobody())
            .feature(
                Feature::Geolocation,
                Allowlist::itself().allow_origin("https://*.maps.example:8443").unwrap(),
            );
        assert_eq!(
            policy.to_string(),
            r#"camera=(), fullscreen=(*), geolocation=(self "https://*.maps.example:8443"), usb=(self)"#
        );
        let policy = policy.feature(Feature::Camera, Allowlist::itself());
        assert!(policy.to_string().starts_with("camera=(self), "));
    }

    #[test]
    fn rule_8_features_are_sorted_by_their_words() {
        let words: Vec<_> = Feature::ALL.iter().map(|feature| feature.as_str()).collect();
        let mut sorted = words.clone();
        sorted.sort_unstable();
        assert_eq!(words, sorted);
        assert!(Feature::ALL.is_sorted());
        assert_eq!("camera".parse(), Ok(Feature::Camera));
        assert!("camara".parse::<Feature>().is_err());
    }

    #[test]
    fn rule_8_the_default_denies_what_is_powerful_and_leaves_passkeys() {
        let policy = PermissionsPolicy::powerless().to_string();
        assert_eq!(policy.matches("=()").count(), POWERFUL.len());
        assert_eq!(policy.matches('=').count(), POWERFUL.len());
        assert!(!policy.contains("publickey"), "{policy}");
    }

    #[test]
    fn rule_8_only_origins_are_allowed() {
        for origin in ["https://a.example", "http://localhost:5173", "https://[::1]:8443"] {
            assert!(Allowlist::nobody().allow_origin(origin).is_ok(), "{origin}");
        }
        for wrong in [
            "",
            "self",
            "*",
            "a.example",
            "https://",
            "https://a.example/",
            "https://A.example",
            "https://a.example.",
            "https://a\"b",
            "https://a b",
            "https://u@a.example",
            "ftp://a.example",
            "https://a.*.example",
            "https://a.example\r\nx: y",
        ] {
            let error = Allowlist::itself().allow_origin(wrong).unwrap_err().to_string();
            assert!(error.contains("Allowlist::itself"), "{error}");
        }
    }
}
