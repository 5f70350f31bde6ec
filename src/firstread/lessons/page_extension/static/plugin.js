// JupyterLab plugin: the style of a lesson's page, and pictures with the text that their metadata holds for screen readers.

// the list of files would leave a telephone no room for the lesson
const NARROW_WINDOW = "(max-width: 999px)";
// JupyterLab's own renderer of pictures has the rank 90; the lower rank is preferred
const IMAGE_RANK = 85;

// Load a module that the application shares, in its highest version.
async function loadShared(scope, name) {
  const versions = Object.entries((scope && scope[name]) || {});
  if (!versions.length) throw new Error(`firstread-lesson needs ${name}, which this application does not share`);
  versions.sort(([one], [other]) => one.localeCompare(other, "en", { numeric: true }));
  return (await versions[versions.length - 1][1].get())();
}

function addStylesheet(name) {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL(name, import.meta.url).href;
  document.head.append(link);
}

export async function createExtension(scope) {
  const [application, rendermime] = await Promise.all(
    ["@jupyterlab/application", "@jupyterlab/rendermime"].map((name) => loadShared(scope, name)),
  );
  addStylesheet("style.css");

  class DescribedImage extends rendermime.RenderedImage {
    async render(model) {
      await super.render(model);
      const metadata = model.metadata["image/png"] || {};
      const image = this.node.querySelector("img");
      if (image && typeof metadata.alt === "string") image.alt = metadata.alt;
    }
  }

  const lessonPlugin = {
    id: "firstread-lesson:page",
    autoStart: true,
    requires: [rendermime.IRenderMimeRegistry],
    optional: [application.ILabShell],
    activate: (app, registry, shell) => {
      const createRenderer = (options) => new DescribedImage(options);
      registry.addFactory({ safe: true, mimeTypes: ["image/png"], createRenderer }, IMAGE_RANK);
      if (!shell) return;
      const narrow = window.matchMedia(NARROW_WINDOW);
      const giveRoom = () => narrow.matches && shell.collapseLeft();
      app.restored.then(giveRoom);
      narrow.addEventListener("change", giveRoom);
    },
  };
  return { __esModule: true, default: [lessonPlugin] };
}
