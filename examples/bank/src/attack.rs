//! The attacks that the attacker's site offers, in words. What they do is in `static/attacker.js`.

/// One attack.
#[derive(Debug)]
pub struct Attack {
    /// Its name in addresses: `?attack=form`.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What the attacker does.
    pub how: &'static str,
    /// The attacker's code, in short.
    pub code: &'static str,
    /// Why it fails: the sentence that teaches.
    pub lesson: &'static str,
    /// How many requests reach the bank.
    pub requests: usize,
}

/// All attacks, in the order of the page.
pub static ATTACKS: [Attack; 11] = [
    Attack {
        id: "form",
        title: "A hidden form",
        how: "A form that nobody sees submits itself, and the browser adds the cookies that belong to the bank.",
        code: "<form method=\"post\" action=\"{bank}/transfer/\" target=\"hidden\">\n  <input type=\"hidden\" name=\"to\" value=\"bob\">\n  <input type=\"hidden\" name=\"amount\" value=\"100\">\n</form>\n<script>document.forms[0].submit()</script>",
        lesson: "Any page may send a form to any site, so a cookie proves who the visitor is and never what the visitor wanted. The browser says in Sec-Fetch-Site where a request comes from, and no page can change that header.",
        requests: 1,
    },
    Attack {
        id: "image",
        title: "An image that is none",
        how: "Two images, whose addresses are meant to send money and to log Alice out.",
        code: "<img src=\"{bank}/transfer/?to=bob&amount=100\">\n<img src=\"{bank}/accounts/logout/\">",
        lesson: "To CSRF’s check a GET is harmless, and the bank sees to it that it is: the transfer’s address only shows a form, and logging out takes a POST. Where Alice’s cookies come along, the request doesn’t get so far: other sites may link to the bank, and load nothing of it.",
        requests: 2,
    },
    Attack {
        id: "read",
        title: "A look into the account",
        how: "A script, an image and a fetch load what the bank shows to Alice. The attacker can’t see it; whether it loads, how long that takes and how large it is would tell enough.",
        code: "<script src=\"{bank}/api/me/\"></script>\n<img src=\"{bank}/account/\">\n<script>fetch(\"{bank}/account/\", { mode: \"no-cors\", credentials: \"include\" })</script>",
        lesson: "No check of forgeries looks at a request that only reads. The bank isolates itself: what comes with cookies from another origin, and is no link that somebody followed, is refused before the session is asked. What is answered, the browser keeps from other origins, as Cross-Origin-Resource-Policy tells it.",
        requests: 3,
    },
    Attack {
        id: "fetch",
        title: "fetch, without asking",
        how: "A script sends the form with the visitor’s cookies, and gives up reading the answer.",
        code: "fetch(\"{bank}/transfer/\", {\n  method: \"POST\", mode: \"no-cors\", credentials: \"include\",\n  body: new URLSearchParams({ to: \"bob\", amount: \"100\" }),\n})",
        lesson: "CORS decides who may read an answer, and this attacker doesn’t want to read: the request is sent all the same. Not allowing CORS is no protection from forgery.",
        requests: 1,
    },
    Attack {
        id: "text-plain",
        title: "JSON dressed as text",
        how: "A form of the type text/plain, whose field’s name and value together are JSON.",
        code: "<form method=\"post\" action=\"{bank}/api/add-item/\" enctype=\"text/plain\">\n  <input name='{\"name\": \"stolen\", \"x\": \"' value='\"}'>\n</form>",
        lesson: "“Browsers must ask before they send JSON” is true only of the type application/json. An API that parses whatever looks like JSON can be called by a form, so this one wants the right type, and the proof of origin before that.",
        requests: 1,
    },
    Attack {
        id: "multipart",
        title: "A file upload",
        how: "A script uploads a file in the visitor’s name, with a body that forms may send too.",
        code: "const body = new FormData();\nbody.append(\"file\", new Blob([\"malware\"]), \"report.pdf\");\nfetch(\"{bank}/upload/\", {\n  method: \"POST\", mode: \"no-cors\", credentials: \"include\", body,\n})",
        lesson: "The type multipart/form-data crosses origins as freely as any form. The bank refuses the request by its head, before it has read a byte of the file.",
        requests: 1,
    },
    Attack {
        id: "stolen-token",
        title: "A token that looks right",
        how: "The form has a token: 64 characters of the right alphabet, as every real one has.",
        code: "<input type=\"hidden\" name=\"csrfmiddlewaretoken\"\n       value=\"kX3v…64 letters and digits…9Qb\">",
        lesson: "A token is not a password that is right by itself. It must hide the same secret as the cookie of the browser that sends it, so a made-up token, or one that leaked from another browser, opens nothing.",
        requests: 1,
    },
    Attack {
        id: "other-user",
        title: "Somebody else’s real token",
        how: "The attacker is a customer too. He logs in as Bob, takes the token of his own page, and puts it into Alice’s form.",
        code: "const { token } = await (await fetch(\"/token\")).json();  // Bob’s own\n// … <input type=\"hidden\" name=\"csrfmiddlewaretoken\" value=\"${token}\">",
        lesson: "Bob’s token was made by the bank, and is worth something beside Bob’s cookie only. A check that accepted any token the site had ever made would let every customer rob every other.",
        requests: 1,
    },
    Attack {
        id: "cookie-tossing",
        title: "A planted cookie",
        how: "The attacker sets the bank’s csrftoken cookie from a neighbouring host, to a secret that he knows, and sends a token that matches.",
        code: "document.cookie = `csrftoken=${known}; Path=/; Domain={domain}`;\n// … <input type=\"hidden\" name=\"csrfmiddlewaretoken\" value=\"${known}\">",
        lesson: "A cookie doesn’t say who set it: where the browser lets it be planted, token and cookie agree, and the comparison alone is beaten. That is why the bank wants two proofs, and the second one can’t be planted.",
        requests: 1,
    },
    Attack {
        id: "method-override",
        title: "A method in disguise",
        how: "A GET that calls itself POST, a POST that calls itself GET, and a header that renames the method.",
        code: "<iframe src=\"{bank}/transfer/?_method=POST&to=bob&amount=100\">\n<form method=\"post\" action=\"{bank}/transfer/?_method=GET\"> … </form>\nfetch(\"{bank}/transfer/\", { method: \"POST\", credentials: \"include\",\n  headers: { \"X-HTTP-Method-Override\": \"GET\" } })",
        lesson: "Only the method on the request line counts. Where a field may rename it, the check sees a harmless GET and the handler behind it a POST. A header of one’s own makes the browser ask first, and the bank doesn’t say yes.",
        requests: 3,
    },
    Attack {
        id: "null-origin",
        title: "No origin at all",
        how: "The form sits in a sandboxed frame, which has no origin: the browser sends “Origin: null”.",
        code: "<iframe sandbox=\"allow-forms allow-scripts\" srcdoc=\"\n  <form method=post action={bank}/transfer/> … </form>\n  <script>document.forms[0].submit()</script>\"></iframe>",
        lesson: "A check that lets requests without an origin pass, or that trusts “null”, can be called from any sandboxed frame. Here null is an origin like any other that isn’t the bank’s.",
        requests: 1,
    },
];

/// The attack of this name.
#[must_use]
pub fn find(id: &str) -> Option<&'static Attack> {
    ATTACKS.iter().find(|attack| attack.id == id)
}
