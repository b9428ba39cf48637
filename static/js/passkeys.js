// Says on the page what went wrong with a passkey; allauth's scripts, which do the work, only log it.

const notice = document.querySelector("[data-passkey-failed]");

function say(text) {
  notice.firstElementChild.textContent = text;
  notice.hidden = false;
}

document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  say(window.PublicKeyCredential ? notice.dataset.passkeyFailed : notice.dataset.passkeyMissing);
});
