// What pages gain with script: live progress, a question before what cannot be taken back, an upload that tells how far
// it is. Everything works without.
"use strict";

// Forms that have their handlers, and those whose question was answered. Nothing is noted in the page itself: what the
// server would make anew as it stands is left alone.
const ready = new WeakSet();
const sure = new WeakSet();
const every = (selector, act, root = document) => root.querySelectorAll(selector).forEach(act);

// A question before a form that changes much. Without script the page behind the form is asked nothing.
function ask(text, verb) {
  return new Promise((answer) => {
    const dialog = document.createElement("dialog");
    const words = document.createElement("p");
    words.id = "question";
    words.textContent = text;
    dialog.setAttribute("aria-labelledby", "question");
    const buttons = document.createElement("div");
    buttons.className = "actions";
    const no = document.createElement("button");
    no.textContent = "Cancel";
    const yes = document.createElement("button");
    yes.textContent = verb;
    yes.className = "main";
    no.addEventListener("click", () => dialog.close(""));
    yes.addEventListener("click", () => dialog.close("yes"));
    dialog.addEventListener("close", () => { answer(dialog.returnValue === "yes"); dialog.remove(); });
    buttons.append(no, yes);
    dialog.append(words, buttons);
    document.body.append(dialog);
    dialog.showModal();
  });
}

// The live part of a page is made by the server alone: a sign that something happened has it fetched anew.
async function refresh() {
  const reply = await fetch(location.pathname, { headers: { Accept: "text/html" }, redirect: "error" });
  if (!reply.ok) return;
  const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
  every("[data-live]", (part) => {
    const found = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (found === null || found.innerHTML === part.innerHTML) return;
    const open = new Set([...part.querySelectorAll("details[open]")].map((one) => one.id));
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    part.replaceChildren(...found.childNodes);
    every("details", (one) => { one.open = one.open || open.has(one.id); }, part);
    if (focused) document.getElementById(focused)?.focus();
  });
  begin();
}

function follow(address) {
  const source = new EventSource(address);
  let busy = false;
  let again = false;
  const look = async () => {
    if (busy) { again = true; return; }
    busy = true;
    // At most about two looks in a second, whatever happens to the load.
    do { again = false; await refresh().catch(() => {}); await new Promise((done) => setTimeout(done, 400)); } while (again);
    busy = false;
  };
  for (const name of ["state", "progress", "errors"]) source.addEventListener(name, look);
  source.addEventListener("end", () => { source.close(); look(); });
  addEventListener("pagehide", () => source.close());
}

// A form with a file goes up with a sign of how far it is; the reply is shown as if the browser had asked for it.
function upload(form) {
  const request = new XMLHttpRequest();
  const line = form.querySelector("[data-upload]");
  const bar = line.querySelector("progress");
  const words = line.querySelector("output");
  const stop = (text) => {
    words.textContent = text;
    bar.hidden = true;
    every("button", (button) => { button.disabled = false; }, form);
  };
  line.hidden = false;
  bar.hidden = false;
  every("button", (button) => { button.disabled = true; }, form);
  request.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable) return;
    bar.max = event.total;
    bar.value = event.loaded;
    words.textContent = event.loaded < event.total
      ? `Sending: ${Math.floor((100 * event.loaded) / event.total)} %` : "Sent; the service looks at the file.";
  });
  request.addEventListener("load", () => {
    const fresh = new DOMParser().parseFromString(request.responseText, "text/html");
    const main = fresh.querySelector("main");
    if (request.status < 400 && new URL(request.responseURL).pathname !== location.pathname) {
      location.assign(request.responseURL);
    } else if (main === null) {
      stop(`The service answered ${request.status} and nothing to show.`);
    } else {
      // What was chosen stays chosen: a form that came back without script has lost its file.
      const file = main.querySelector("input[type=file]");
      if (file !== null) {
        file.files = form.querySelector("input[type=file]").files;
        every("[data-no-file]", (words) => words.remove(), main);
      }
      document.querySelector("main").replaceWith(main);
      document.title = fresh.title;
      begin();
      (main.querySelector("[aria-invalid=true]") ?? main).focus();
    }
  });
  request.addEventListener("error", () => stop("The connection broke off; nothing was kept. Send it again."));
  request.open("POST", form.action);
  request.send(new FormData(form));
}

function begin() {
  every("form", (form) => {
    if (ready.has(form)) return;
    ready.add(form);
    form.addEventListener("submit", (event) => {
      const question = form.dataset.confirm;
      if (question && !sure.has(form)) {
        event.preventDefault();
        ask(question, event.submitter?.textContent.trim() || "Go on").then((yes) => {
          // Its part of the page may have been made anew meanwhile.
          const now = form.isConnected ? form : document.querySelector(`form[action="${form.getAttribute("action")}"]`);
          if (!yes || now === null) return;
          sure.add(now);
          now.requestSubmit();
        });
      } else if (form.enctype === "multipart/form-data") {
        event.preventDefault();
        upload(form);
      } else if (form.method === "post" && event.submitter?.name !== "as") {
        // A download leaves the page as it is. After the browser has gathered the form: a disabled button's own value would be left out.
        setTimeout(() => every("button", (button) => { button.disabled = true; }, form));
      }
    });
  });
  every("[data-needs]", (field) => {
    const select = document.getElementById(field.dataset.needs);
    const show = () => { field.hidden = !field.dataset.values.split(" ").includes(select.value); };
    select.addEventListener("change", show);
    show();
  });
}

begin();
every("[data-events]", (part) => follow(part.dataset.events));
every("form[data-at-once]", (form) => form.requestSubmit());
// A page that comes back from the browser's memory has its buttons as they were left.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
