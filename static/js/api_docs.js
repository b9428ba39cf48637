// The reference of the API: what an address or a link points at is opened.

function open() {
  const found = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (found instanceof HTMLDetailsElement) {
    found.open = true;
    found.scrollIntoView();
  }
}

addEventListener("hashchange", open);
open();
