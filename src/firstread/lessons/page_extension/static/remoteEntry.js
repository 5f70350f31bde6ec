// Entry point for JupyterLab and Notebook 7: a module federation container, written by hand.
// They call init() with the modules that they share, then get() for the module that package.json names.
(function () {
  "use strict";
  const here = new URL(".", document.currentScript.src).href;
  let scope = null;
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["firstread-lesson"] = {
    init(sharedScope) {
      scope = sharedScope;
    },
    async get(name) {
      if (name !== "./extension") throw new Error(`firstread-lesson has no module ${name}`);
      const { createExtension } = await import(`${here}plugin.js`);
      const extension = await createExtension(scope);
      return () => extension;
    },
  };
})();
