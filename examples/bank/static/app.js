// The front end: it shows what it may read of the bank, and what the browser said of each request.

const { bank, place } = document.body.dataset;
const SHOWN = 12;

// How the console begins and ends when the browser keeps an answer back. What failed is in between.
const UNNAMED = "No 'Access-Control-Allow-Origin' header is present on the requested resource.";
const PREFLIGHT = "Response to preflight request doesn't pass access control check: ";

const get = (id) => document.getElementById(id);

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

// Does the browser ask the bank first whether it may send this (Fetch, 4.8 "CORS-preflight fetch")?
function asksFirst({ method, headers }) {
  return !["GET", "POST"].includes(method) || Object.keys(headers).length > 0;
}

// The rule of the bank's that a request of this page breaks, in the console's words.
function broken(request) {
  if (place !== "allowed") return (asksFirst(request) ? PREFLIGHT : "") + UNNAMED;
  const header = Object.keys(request.headers).find((name) => !["content-type", "x-csrftoken"].includes(name));
  if (header) return `Request header field ${header} is not allowed by Access-Control-Allow-Headers in preflight response.`;
  if (!["GET", "POST"].includes(request.method)) {
    return `Method ${request.method} is not allowed by Access-Control-Allow-Methods in preflight response.`;
  }
  return null;
}

function log(request, kind, verdict, text, console) {
  const entry = element("li", "",
    element("p", "log-head",
      element("code", "", `${request.method} ${request.path}`),
      element("span", `verdict ${kind}`, verdict)),
    element("p", "", text));
  if (console) entry.append(element("p", "console", console));
  entry.dataset.kind = kind;
  const said = get("said");
  said.prepend(entry);
  while (said.children.length > SHOWN) said.lastElementChild.remove();
}

function logAnswer(request, response) {
  const first = asksFirst(request) ? "The browser asked first (a preflight), the bank said yes, and the request followed. " : "";
  if (response.ok) return log(request, "good", `${response.status}, read`, first + "The bank named this origin, so the page may read the answer.");
  log(request, "unknown", `${response.status}, read`, first + "The bank said no, and named this origin all the same: the page may read why.");
}

function logFailure(request, error) {
  const why = broken(request);
  if (!why) return log(request, "bad", "no answer", `${error}. Either the bank is not running, or the browser has a reason of its own; its console says which.`);
  const text = asksFirst(request)
    ? `${error}. The browser asked the bank first (a preflight), and its answer didn’t allow this: the request was never sent. The page learns no more than that it failed.`
    : `${error}. The request was sent and answered. The bank’s answer didn’t name this origin, so the browser keeps it: the page learns no more than that it failed.`;
  log(request, "bad", asksFirst(request) ? "not sent" : "kept back", text,
    `Access to fetch at '${bank}${request.path}' from origin '${location.origin}' has been blocked by CORS policy: ${why}`);
}

// A request to the bank, with the visitor's cookies. Nothing if the browser lets no answer through.
async function ask(method, path, { headers = {}, body } = {}) {
  const request = { method, path, headers };
  let response;
  try {
    response = await fetch(bank + path, { method, headers, body, credentials: "include" });
  } catch (error) {
    logFailure(request, error);
    return null;
  }
  logAnswer(request, response);
  return { response, answer: await response.json().catch(() => ({})) };
}

function showAccount(said) {
  const known = said?.response.ok;
  get("account").hidden = !known;
  get("nobody").hidden = !said || known;
  get("kept").hidden = Boolean(said);
  if (!known) return;
  get("who").textContent = said.answer.username;
  get("balance").textContent = said.answer.balance;
}

function showItems(said) {
  const items = said?.answer.items ?? [];
  get("items").replaceChildren(...items.map((item) => element("li", "", item.name)));
  get("nothing").hidden = items.length > 0;
  // The bank exposes this header; of others a page on another origin sees nothing.
  const left = said?.response.headers.get("x-items-left");
  get("left").hidden = !left;
  get("left").textContent = `${left} more fit.`;
}

async function load() {
  showAccount(await ask("GET", "/api/me/"));
  showItems(await ask("GET", "/api/items/"));
}

let token = null;

async function fetchToken() {
  const said = await ask("GET", "/api/csrf/");
  return said?.answer.token ?? null;
}

function post(name) {
  const headers = { "content-type": "application/json", "x-csrftoken": token ?? "" };
  return ask("POST", "/api/add-item/", { headers, body: JSON.stringify({ name }) });
}

// The token changes when the visitor logs in: refused once, the page asks for the new one.
async function add(name) {
  token ??= await fetchToken();
  const said = await post(name);
  if (said?.response.status !== 403) return said;
  token = await fetchToken();
  return post(name);
}

const form = get("add");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  const problem = get("problem");
  button.disabled = true;
  const said = await add(form.elements.name.value);
  button.disabled = false;
  problem.hidden = Boolean(said?.response.ok);
  problem.textContent = said ? said.answer.error : "The browser did not let this page ask.";
  if (!said?.response.ok) return;
  showItems(said);
  form.reset();
});

const TRIES = {
  header: () => ask("GET", "/api/me/", { headers: { "x-own": "1" } }),
  method: () => ask("DELETE", "/api/items/"),
};

for (const button of document.querySelectorAll("[data-try]")) {
  button.addEventListener("click", () => TRIES[button.dataset.try]());
}

get("again").addEventListener("click", load);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") load();
});
await load();
