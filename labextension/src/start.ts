// How somebody begins: the lessons, a new notebook with a lab, from launcher, palette and menu.

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, showErrorMessage } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { CATEGORY, COMMANDS } from './ids';
import { natsIcon } from './panel/icons';
import { DOWN, UP } from './panel/lines';
import { notebook, STARTS } from './starts';
import { IWorkbench, type Workbench } from './workbench';

const FIRST = '00-meet-the-lab.ipynb';

export const start: JupyterFrontEndPlugin<void> = {
  id: 'natslab:start',
  description: 'Launcher, palette and menu entries of natslab.',
  autoStart: true,
  requires: [IWorkbench],
  optional: [ICommandPalette, ILauncher],
  activate: (app: JupyterFrontEnd, workbench: Workbench, palette: ICommandPalette | null, launcher: ILauncher | null) => {
    const { commands, serviceManager } = app;
    const { trans, lessons, links, acts } = workbench;

    commands.addCommand(COMMANDS.lessons, {
      label: trans.__('NATS lessons'),
      caption: trans.__('Open the first NATS lesson, and the folder with all of them'),
      icon: natsIcon,
      describedBy: { args: null },
      execute: async () => {
        await lessons.look();
        if (lessons.folder === null) {
          await showErrorMessage(
            trans.__('The NATS lessons are not here'),
            trans.__('JupyterLab was started in another folder. In a terminal, natslab lab starts it on the lessons.')
          );
          return;
        }
        if (commands.hasCommand('filebrowser:open-path')) {
          await commands.execute('filebrowser:open-path', { path: lessons.folder || '/' });
        }
        await commands.execute('docmanager:open', { path: lessons.folder + FIRST });
      }
    });

    const fresh = async (cells: string[], cwd: unknown): Promise<void> => {
      const path = typeof cwd === 'string' ? cwd : '';
      const { contents, kernelspecs } = serviceManager;
      await kernelspecs.ready;
      const model = await contents.newUntitled({ path, type: 'notebook' });
      const kernel = kernelspecs.specs?.default ?? 'python3';
      const content = notebook(cells, kernel, kernelspecs.specs?.kernelspecs[kernel]?.display_name ?? kernel);
      await contents.save(model.path, { ...model, content, format: 'json', type: 'notebook' });
      await commands.execute('docmanager:open', { path: model.path });
    };
    commands.addCommand(COMMANDS.newLab, {
      label: args => (args.isLauncher ? trans.__('Empty lab notebook') : trans.__('New NATS lab notebook')),
      caption: trans.__('A notebook that starts one nats-server'),
      icon: natsIcon,
      describedBy: { args: null },
      execute: args => fresh(STARTS.lab, args.cwd)
    });
    commands.addCommand(COMMANDS.newCluster, {
      label: args => (args.isLauncher ? trans.__('Cluster lab notebook') : trans.__('New NATS cluster notebook')),
      caption: trans.__('A notebook that starts a cluster of three nats-servers'),
      icon: natsIcon,
      describedBy: { args: null },
      execute: args => fresh(STARTS.cluster, args.cwd)
    });

    const live = (up: boolean) => (): boolean => links.active?.phase === 'live' && !!links.active.state?.lab === up;
    commands.addCommand(COMMANDS.up, {
      label: trans.__('Start a NATS lab in this notebook'),
      caption: `%${UP}`,
      describedBy: { args: null },
      isEnabled: live(false),
      execute: () => acts.run(UP)
    });
    commands.addCommand(COMMANDS.down, {
      label: trans.__('Stop the NATS lab of this notebook'),
      caption: `%${DOWN}`,
      describedBy: { args: null },
      isEnabled: live(true),
      execute: () => acts.run(DOWN)
    });
    links.changed.connect(() => {
      commands.notifyCommandChanged(COMMANDS.up);
      commands.notifyCommandChanged(COMMANDS.down);
    });

    for (const command of [COMMANDS.lessons, COMMANDS.newLab, COMMANDS.newCluster, COMMANDS.up, COMMANDS.down]) {
      palette?.addItem({ command, category: CATEGORY });
    }
    launcher?.add({ command: COMMANDS.lessons, category: CATEGORY, rank: 1 });
    launcher?.add({ command: COMMANDS.newLab, category: CATEGORY, rank: 2, args: { isLauncher: true } });
    launcher?.add({ command: COMMANDS.newCluster, category: CATEGORY, rank: 3, args: { isLauncher: true } });
  }
};
