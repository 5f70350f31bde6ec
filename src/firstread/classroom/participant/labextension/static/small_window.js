// A small window, such as a phone's, is the lesson's: JupyterLab's side bars, menu and status bar are taken away, by
// style.css where minimum sizes do it. A larger window has all of them, also that of somebody who was on a phone before.

// as in style.css
const SMALL_WINDOW = "(max-width: 600px), (max-height: 480px) and (max-width: 1000px)";
// below the shell: areas, and the panels of documents with their tabs
const LAYOUT_DEPTH = 5;

export function fitSmallWindow(shell, stylesheet) {
  const query = window.matchMedia(SMALL_WINDOW);
  const fit = () => {
    for (const side of ["left", "right"]) {
      if (shell.isSideTabBarVisible(side) === query.matches) shell.toggleSideTabBarVisibility(side);
    }
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

// JupyterLab computes its layout again, which it does not when a style changes.
function fitLayouts(widget, depth) {
  widget.fit();
  if (depth > 0) for (const child of widget.children()) fitLayouts(child, depth - 1);
}
