// Addresses of the panel for scripts: below the path at which a reverse proxy offers it. This module is two folders
// below that path.
export const ROOT = new URL("../..", import.meta.url).pathname.slice(0, -1);
export const placed = (path) => ROOT + path;
