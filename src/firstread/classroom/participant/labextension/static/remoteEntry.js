// How JupyterLab and Notebook 7 find the bar: a container of module federation, written by hand.
// They call init() with the modules that they share, then get() for what package.json names.
(function () {
  "use strict";
  const here = new URL(".", document.currentScript.src).href;
  let scope = null;
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["firstread-bar"] = {
    init(shared) {
      scope = shared;
    },
    async get(name) {
      if (name !== "./extension") throw new Error(`firstread-bar has no module ${name}`);
      const { make } = await import(`${here}plugin.js`);
      const made = await make(scope);
      return () => made;
    },
  };
})();
