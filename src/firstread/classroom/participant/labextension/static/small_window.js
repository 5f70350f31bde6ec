// A small window, such as a phone's: style.css takes JupyterLab's side bars, menu and status bar away, and this module
// makes JupyterLab compute its layout again. Nothing of it is kept, so a larger window of the same participant has all.

// as in style.css
const SMALL_WINDOW = "(max-width: 600px), (max-height: 480px) and (max-width: 1000px)";
// below the shell: areas, and the panels of documents with their tabs
const LAYOUT_DEPTH = 5;

export function fitSmallWindow(shell, stylesheet) {
  const query = window.matchMedia(SMALL_WINDOW);
  const fit = () => {
    if (query.matches) {
      shell.collapseLeft();
      shell.collapseRight();
    }
    fitLayouts(shell, LAYOUT_DEPTH);
  };
  query.addEventListener("change", fit);
  if (stylesheet.sheet) fit();
  else stylesheet.addEventListener("load", fit);
}

function fitLayouts(widget, depth) {
  widget.fit();
  if (depth > 0) for (const child of widget.children()) fitLayouts(child, depth - 1);
}
