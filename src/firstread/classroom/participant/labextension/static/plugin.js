// The plugins: the bar on every notebook, and a quiet word in place of a dialog when the connection is lost.
import { Asking } from "./asking.js";
import { Bar } from "./bar.js";
import { Keeping } from "./keeping.js";

const NARROW_PIXELS = 1000;

// One of the modules that the application shares, in its highest version.
async function shared(scope, name) {
  const versions = Object.entries((scope && scope[name]) || {});
  if (!versions.length) throw new Error(`firstread-bar needs ${name}, which this application does not share`);
  versions.sort(([one], [other]) => one.localeCompare(other, "en", { numeric: true }));
  return (await versions[versions.length - 1][1].get())();
}

function addStyle() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("style.css", import.meta.url).href;
  document.head.append(link);
}

export async function make(scope) {
  const names = ["application", "notebook", "services", "docmanager", "coreutils"];
  const [application, notebook, services, docmanager, coreutils] = await Promise.all(
    names.map((name) => shared(scope, `@jupyterlab/${name}`)),
  );
  const { Widget } = await shared(scope, "@lumino/widgets");
  addStyle();

  const connection = {
    id: "firstread-bar:connection",
    autoStart: true,
    provides: application.IConnectionLost,
    // The bar says it, and goes on by itself; a dialog in front of the notebook would not let anybody type.
    activate: () => async () => {},
  };

  const bar = {
    id: "firstread-bar:bar",
    autoStart: true,
    requires: [notebook.INotebookTracker],
    optional: [docmanager.IDocumentManager, application.ILabShell],
    activate: (app, tracker, documents, shell) => {
      const asking = new Asking({
        settings: app.serviceManager.serverSettings,
        request: services.ServerConnection.makeRequest,
        hub: coreutils.PageConfig.getOption("hubPrefix"),
      });
      const parts = { asking, contents: app.serviceManager.contents, actions: notebook.NotebookActions, Widget };
      const dress = (panel) => {
        panel.context.ready.then(() => {
          if (panel.isDisposed) return;
          const keeping = new Keeping(panel, asking);
          const made = new Bar(panel, { ...parts, keeping });
          panel.contentHeader.addWidget(made.widget);
          panel.disposed.connect(() => {
            made.leave();
            keeping.leave();
          });
        });
      };
      tracker.forEach(dress);
      tracker.widgetAdded.connect((_, panel) => dress(panel));
      if (documents) {
        // JupyterLab's own saving shows a dialog each time that it fails
        const wanted = documents.autosave;
        let away = false;
        asking.changed(() => {
          if (away === (asking.server !== "here")) return;
          away = !away;
          documents.autosave = away ? false : wanted;
        });
      }
      if (shell) {
        app.restored.then(() => {
          if (window.innerWidth < NARROW_PIXELS) shell.collapseLeft();
        });
      }
      asking.begin();
    },
  };
  return { __esModule: true, default: [connection, bar] };
}
