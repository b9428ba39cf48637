// The content security policy allows no style attribute, which injected mark-up could use too. Values that differ
// from row to row, such as a genre's colour, are in data-style and are set here, custom properties alone.
// A classic script in the head, so that they are set before the first paint; later content is observed.
(() => {
  function apply(element) {
    for (const part of element.dataset.style.split(";")) {
      const [name, ...value] = part.split(":");
      if (name.trim().startsWith("--")) element.style.setProperty(name.trim(), value.join(":").trim());
    }
  }

  function applyWithin(node) {
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    if (node.dataset.style) apply(node);
    for (const element of node.querySelectorAll("[data-style]")) apply(element);
  }

  new MutationObserver((records) => {
    for (const record of records) {
      if (record.type === "attributes") applyWithin(record.target);
      else record.addedNodes.forEach(applyWithin);
    }
  }).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-style"] });
})();
