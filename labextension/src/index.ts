// The JupyterLab plugin: one command, in the launcher and the palette, that opens the lessons.

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, showErrorMessage } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { LabIcon } from '@jupyterlab/ui-components';

const OPEN = 'natslab:open-lessons';
const FOLDERS = ['', 'notebooks/']; // where JupyterLab was started, or below
const FIRST = '00-meet-the-lab.ipynb';

const icon = new LabIcon({
  name: 'natslab:lessons',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16" fill="none">' +
    '<g class="jp-icon3" stroke="#616161" stroke-width="1.5" stroke-linecap="round">' +
    '<path d="M4.8 8H7C9 8 9 3.5 11 3.5M7 8C9 8 9 12.5 11 12.5"/>' +
    '<circle cx="3" cy="8" r="1.8"/><circle cx="12.8" cy="3.5" r="1.8"/><circle cx="12.8" cy="12.5" r="1.8"/>' +
    '</g></svg>'
});

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'natslab:plugin',
  description: 'Opens the NATS lessons.',
  autoStart: true,
  optional: [ICommandPalette, ILauncher],
  activate: (app: JupyterFrontEnd, palette: ICommandPalette | null, launcher: ILauncher | null) => {
    app.commands.addCommand(OPEN, {
      label: 'NATS lessons',
      caption: 'Open the folder with the NATS lessons',
      icon,
      execute: async () => {
        for (const folder of FOLDERS) {
          const found = await app.serviceManager.contents
            .get(folder + FIRST, { content: false })
            .then(() => true)
            .catch(() => false);
          if (found) {
            await app.commands.execute('filebrowser:open-path', { path: folder || '/' });
            return;
          }
        }
        await showErrorMessage(
          'The NATS lessons are not here',
          'JupyterLab was started in another folder. In a terminal, natslab lab starts it on the lessons.'
        );
      }
    });
    palette?.addItem({ command: OPEN, category: 'NATS' });
    launcher?.add({ command: OPEN, category: 'NATS', rank: 1 });
  }
};

export default plugin;
