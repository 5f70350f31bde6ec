// JupyterLab plugins: the class bar on each notebook, and no dialog when the connection is lost.
import { Autosave } from "./autosave.js";
import { Bar } from "./bar.js";
import { ClassConnection } from "./class_connection.js";
import { returnToLastPlace } from "./last_place.js";
import { fitSmallWindow } from "./small_window.js";

const NARROW_WINDOW_PIXELS = 1000;

// Load a module that the application shares, in its highest version.
async function loadShared(scope, name) {
  const versions = Object.entries((scope && scope[name]) || {});
  if (!versions.length) throw new Error(`firstread-bar needs ${name}, which this application does not share`);
  versions.sort(([one], [other]) => one.localeCompare(other, "en", { numeric: true }));
  return (await versions[versions.length - 1][1].get())();
}

function addStylesheet(name) {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL(name, import.meta.url).href;
  document.head.append(link);
  return link;
}

// JupyterLab's autosave shows a dialog at each failure, so it is off while the server is unreachable.
function pauseDocumentAutosave(documents, connection) {
  const wanted = documents.autosave;
  let isPaused = false;
  connection.subscribe(() => {
    if (isPaused === (connection.server !== "reachable")) return;
    isPaused = !isPaused;
    documents.autosave = isPaused ? false : wanted;
  });
}

export async function createExtension(scope) {
  const names = ["application", "notebook", "services", "docmanager", "coreutils"];
  const [application, notebook, services, docmanager, coreutils] = await Promise.all(
    names.map((name) => loadShared(scope, `@jupyterlab/${name}`)),
  );
  const { Widget } = await loadShared(scope, "@lumino/widgets");
  const stylesheet = addStylesheet("style.css");
  addStylesheet("forum.css");

  const connectionLostPlugin = {
    id: "firstread-bar:connection",
    autoStart: true,
    provides: application.IConnectionLost,
    // The bar shows it and reconnects; a dialog in front of the notebook would block typing.
    activate: () => async () => {},
  };

  const barPlugin = {
    id: "firstread-bar:bar",
    autoStart: true,
    requires: [notebook.INotebookTracker],
    optional: [docmanager.IDocumentManager, application.ILabShell],
    activate: (app, tracker, documents, shell) => {
      const connection = new ClassConnection({
        settings: app.serviceManager.serverSettings,
        request: services.ServerConnection.makeRequest,
        hub: coreutils.PageConfig.getOption("hubHost") + coreutils.PageConfig.getOption("hubPrefix"),
      });
      const parts = { connection, contents: app.serviceManager.contents, actions: notebook.NotebookActions, Widget };
      const addBar = (panel) => {
        panel.context.ready.then(() => {
          if (panel.isDisposed) return;
          const autosave = new Autosave(panel, connection);
          const bar = new Bar(panel, { ...parts, autosave });
          panel.contentHeader.addWidget(bar.widget);
          const onNewKernel = () => bar.restart.isRunning || bar.announceNewKernel();
          returnToLastPlace(panel, { onNewKernel }).catch((error) => console.warn(error));
          panel.disposed.connect(() => {
            bar.dispose();
            autosave.dispose();
          });
        });
      };
      tracker.forEach(addBar);
      tracker.widgetAdded.connect((_, panel) => addBar(panel));
      if (documents) pauseDocumentAutosave(documents, connection);
      if (shell) {
        app.restored.then(() => {
          if (window.innerWidth < NARROW_WINDOW_PIXELS) shell.collapseLeft();
          fitSmallWindow(shell, stylesheet);
        });
      }
      connection.start();
    },
  };
  return { __esModule: true, default: [connectionLostPlugin, barPlugin] };
}
