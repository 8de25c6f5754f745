// Small line drawings in the colour of their surroundings. Only shapes: no text, no foreign values.

import { LabIcon } from '@jupyterlab/ui-components';

/** Three subscribers of one subject: the sign of everything here. */
export const natsIcon = new LabIcon({
  name: 'natslab:nats',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16" fill="none">' +
    '<g class="jp-icon3" stroke="#616161" stroke-width="1.5" stroke-linecap="round">' +
    '<path d="M4.8 8H7C9 8 9 3.5 11 3.5M7 8C9 8 9 12.5 11 12.5"/>' +
    '<circle cx="3" cy="8" r="1.8"/><circle cx="12.8" cy="3.5" r="1.8"/><circle cx="12.8" cy="12.5" r="1.8"/>' +
    '</g></svg>'
});

/** Paths in a field of 16 by 16. */
export const PATHS = {
  start: 'M5 3.5v9l7-4.5z',
  restart: 'M12.6 6.2A5 5 0 1 0 13 9M12.9 3v3.4H9.5',
  freeze: 'M5.5 3.5v9M10.5 3.5v9',
  thaw: 'M5 3.5v9l7-4.5z',
  kill: 'M4 4l8 8M12 4l-8 8',
  stop: 'M4 4h8v8H4z',
  cut: 'M2 8h3.5M10.5 8H14M6.5 5l3 6',
  heal: 'M2 8h12',
  copy: 'M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z',
  insert: 'M6 4L2.5 8 6 12M10 4l3.5 4L10 12',
  log: 'M3 4h10M3 8h10M3 12h6',
  dock: 'M2 3h12v10H2zM9.5 3v10',
  add: 'M8 3v10M3 8h10',
  more: 'M5 4l4 4-4 4',
  view: 'M1.5 8C4 3.5 12 3.5 14.5 8 12 12.5 4 12.5 1.5 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z',
  next: 'M3 8h8M8 4.5L11.5 8 8 11.5M13.5 4v8'
} as const;

export type Sign = keyof typeof PATHS;
