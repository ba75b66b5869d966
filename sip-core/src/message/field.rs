//! Header field names, with their compact forms.

use std::fmt;

macro_rules! header_names {
    ($($variant:ident $long:literal $($compact:literal)? $(single $single:tt)? ;)*) => {
        /// The name of a header field. Names compare without case; compact forms are the same name.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum HeaderName {
            $(
                #[doc = concat!("`", $long, "`")]
                $variant,
            )*
            /// A name this crate gives no meaning to, as received.
            Other(OtherName),
        }

        impl HeaderName {
            /// The long form as it is written on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $long,)*
                    Self::Other(name) => &name.0,
                }
            }

            /// Whether a message may carry this field only once.
            pub(crate) fn is_single(&self) -> bool {
                match self {
                    $(Self::$variant => false $(|| $single)?,)*
                    Self::Other(_) => false,
                }
            }

            fn known(name: &str) -> Option<Self> {
                $(
                    if name.eq_ignore_ascii_case($long) $(|| name.eq_ignore_ascii_case($compact))? {
                        return Some(Self::$variant);
                    }
                )*
                None
            }
        }
    };
}

header_names! {
    Via "Via" "v";
    From "From" "f" single true;
    To "To" "t" single true;
    CallId "Call-ID" "i" single true;
    CSeq "CSeq" single true;
    Contact "Contact" "m";
    MaxForwards "Max-Forwards" single true;
    ContentType "Content-Type" "c" single true;
    ContentLength "Content-Length" "l" single true;
    Allow "Allow";
    UserAgent "User-Agent" single true;
    Supported "Supported" "k";
    Route "Route";
    Path "Path";
    RemotePartyId "Remote-Party-ID";
    Diversion "Diversion";
    HistoryInfo "History-Info";
    Timestamp "Timestamp" single true;
    RecordRoute "Record-Route";
    Authorization "Authorization";
    ProxyAuthorization "Proxy-Authorization";
    WwwAuthenticate "WWW-Authenticate";
    ProxyAuthenticate "Proxy-Authenticate";
    Expires "Expires" single true;
    MinExpires "Min-Expires" single true;
    Accept "Accept";
    AllowEvents "Allow-Events" "u";
    ContentDisposition "Content-Disposition" single true;
    ContentEncoding "Content-Encoding" "e";
    Date "Date" single true;
    Event "Event" "o" single true;
    Identity "Identity" "y";
    MinSe "Min-SE" single true;
    PAssertedIdentity "P-Asserted-Identity";
    Privacy "Privacy";
    ProxyRequire "Proxy-Require";
    RAck "RAck" single true;
    Reason "Reason";
    ReferSub "Refer-Sub" single true;
    ReferTo "Refer-To" "r" single true;
    ReferredBy "Referred-By" "b" single true;
    Replaces "Replaces" single true;
    Require "Require";
    RetryAfter "Retry-After" single true;
    RSeq "RSeq" single true;
    Server "Server" single true;
    SessionExpires "Session-Expires" "x" single true;
    Subject "Subject" "s" single true;
    SubscriptionState "Subscription-State" single true;
    Unsupported "Unsupported";
    Warning "Warning";
}

/// A header name without a meaning here; compares without case.
#[derive(Debug, Clone, Eq)]
pub struct OtherName(String);

impl PartialEq for OtherName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl HeaderName {
    /// Reads a header name, long or compact; `None` if it is not a token.
    pub fn parse(name: &str) -> Option<Self> {
        match Self::known(name) {
            Some(known) => Some(known),
            None => super::text::is_token(name).then(|| Self::Other(OtherName(name.to_owned()))),
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
