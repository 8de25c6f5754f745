// Puts the panel at the left.

import { ILabShell, ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { CATEGORY, COMMANDS } from '../ids';
import { IWorkbench, type Workbench } from '../workbench';
import { natsIcon } from './icons';
import { NatsPanel } from './panel';

export const panel: JupyterFrontEndPlugin<void> = {
  id: 'natslab:panel',
  description: 'The NATS panel: the lab of the active notebook.',
  autoStart: true,
  requires: [IWorkbench],
  optional: [ILabShell, ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    workbench: Workbench,
    lab: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null
  ) => {
    const { commands, shell } = app;
    const { trans } = workbench;
    const made = new NatsPanel({
      ...workbench,
      // Not before the layout of last time is there again: it would be put over what is opened now.
      command: (id, args) => void app.restored.then(() => commands.execute(id, args)),
      docks: true
    });
    shell.add(made, 'left', { rank: 350 });
    restorer?.add(made, made.id);
    commands.addCommand(COMMANDS.panel, {
      label: trans.__('NATS panel'),
      caption: trans.__('Show the lab of the active notebook'),
      icon: natsIcon,
      describedBy: { args: null },
      execute: () => (lab ?? shell).activateById(made.id)
    });
    palette?.addItem({ command: COMMANDS.panel, category: CATEGORY });
    void workbench.memory.load().then(() => made.update());
  }
};
