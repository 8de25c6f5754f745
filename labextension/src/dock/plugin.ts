// Views beside the notebook: from a line, from the button of a view, from palette and panel; there again after a reload.

import { ILabShell, ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, InputDialog, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { CATEGORY, COMMANDS } from '../ids';
import { natsIcon } from '../panel/icons';
import { view as viewLine } from '../panel/lines';
import { IWorkbench, type Workbench } from '../workbench';
import { DockedView, type Docking } from './docked';
import { isSide, nameOf, place } from './places';

type Shown = MainAreaWidget<DockedView>;

export const dock: JupyterFrontEndPlugin<void> = {
  id: 'natslab:dock',
  description: 'Puts live views beside the notebook.',
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
    const { trans, links, acts } = workbench;
    const tracker = new WidgetTracker<Shown>({ namespace: 'natslab-dock' });
    const titles = new Map<string, string>();
    const owned = new WeakSet<Shown>();

    const titled = (view: string): string => titles.get(view) ?? view;

    const made = (docking: Docking): Shown => {
      const content = new DockedView(docking, { trans, links, acts, command: (id, args) => void commands.execute(id, args) });
      const widget = new MainAreaWidget({ content });
      const words = [docking.title, ...docking.of].join(' ');
      widget.id = nameOf(docking.path, docking.view, docking.of);
      widget.title.label = words;
      widget.title.caption = `${words}\n${docking.path}`;
      widget.title.icon = natsIcon;
      widget.title.closable = true;
      widget.toolbar.hide();
      return widget;
    };

    /** `notebook`: where there is one already; after a reload it may come later. */
    const show = (docking: Docking, notebook: NotebookPanel | null): void => {
      const name = nameOf(docking.path, docking.view, docking.of);
      const there = tracker.find(widget => widget.id === name);
      if (there) {
        shell.activateById(there.id);
        return;
      }
      const widget = made(docking);
      const others: string[] = [];
      tracker.forEach(({ id, content }) => {
        if (content.docking.path === docking.path && content.docking.side === docking.side) {
          others.push(id);
        }
      });
      if (lab) {
        const { mode, ref } = place(docking.side, notebook?.id ?? '', others);
        shell.add(widget, 'main', notebook || others.length ? { mode, ref, activate: false } : { activate: false });
        if (mode === 'tab-after' && notebook) {
          shell.activateById(widget.id); // a tab behind others would not be seen
          shell.activateById(notebook.id);
        }
      } else {
        // Notebook 7 has one notebook, and room at its sides and below.
        shell.add(widget, docking.side === 'left' ? 'left' : docking.side === 'bottom' ? 'down' : 'right');
        shell.activateById(widget.id);
      }
      void tracker.add(widget);
      own();
    };

    /** A notebook takes its views along when it goes; after a reload it may come after them. */
    const own = (): void =>
      tracker.forEach(widget => {
        const panel = links.at(widget.content.docking.path);
        if (panel && !owned.has(widget)) {
          owned.add(widget);
          const end = (): void => widget.dispose();
          panel.disposed.connect(end);
          widget.disposed.connect(() => panel.disposed.disconnect(end));
        }
      });
    links.anyChanged.connect(own);

    const tell = ({ view, of, side }: Docking): void => acts.tell(viewLine(view, of, side));

    commands.addCommand(COMMANDS.dock, {
      label: args => {
        const name = typeof args.view === 'string' ? titled(args.view) : '';
        return name ? trans.__('Show the view %1 beside the notebook', name) : trans.__('Show a view beside the notebook\u2026');
      },
      icon: natsIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            view: { type: 'string' },
            of: { type: 'array', items: { type: 'string' } },
            side: { type: 'string' },
            path: { type: 'string' },
            title: { type: 'string' }
          }
        }
      },
      execute: async args => {
        const of = Array.isArray(args.of) ? args.of.map(String) : [];
        const side = isSide(args.side) ? args.side : 'right';
        if (typeof args.path === 'string' && typeof args.view === 'string') {
          const title = typeof args.title === 'string' ? args.title : titled(args.view);
          show({ path: args.path, view: args.view, of, side, title }, links.at(args.path)); // as it was before a reload
          return;
        }
        const { panel } = links;
        const view = typeof args.view === 'string' ? args.view : await chosen();
        if (panel && view) {
          const docking = { path: panel.context.path, view, of, side, title: titled(view) };
          show(docking, panel);
          tell(docking);
        }
      }
    });

    const chosen = async (): Promise<string | null> => {
      const offered = links.active?.state?.views_there ?? [];
      const { value } = await InputDialog.getItem({
        title: trans.__('Which view?'),
        items: offered.map(({ title }) => title),
        okLabel: trans.__('Show')
      });
      return offered.find(({ title }) => title === value)?.name ?? null;
    };

    links.docked.connect((_, { panel, view, of, side }) => {
      show({ path: panel.context.path, view, of, side: isSide(side) ? side : 'right', title: titled(view) }, panel);
    });

    // A view in a cell has a button where there is somebody who listens; it says so with an event.
    document.body.dataset.natslabDock = '';
    document.addEventListener('natslab:dock', event => {
      const { view, of } = (event as CustomEvent<{ view: string; of: string[] }>).detail;
      const panel = links.holding(event.target as Node);
      if (panel) {
        const docking: Docking = { path: panel.context.path, view, of, side: 'right', title: titled(view) };
        show(docking, panel);
        tell(docking);
      }
    });

    palette?.addItem({ command: COMMANDS.dock, category: CATEGORY });
    let offered: IDisposable[] = [];
    links.changed.connect(() => {
      const there = links.active?.state?.views_there ?? [];
      if (there.length && there.some(({ name, title }) => titles.get(name) !== title)) {
        there.forEach(({ name, title }) => titles.set(name, title));
        offered.forEach(item => item.dispose());
        offered = there.flatMap(({ name }) => palette?.addItem({ command: COMMANDS.dock, category: CATEGORY, args: { view: name } }) ?? []);
      }
    });

    void restorer?.restore(tracker, {
      command: COMMANDS.dock,
      args: ({ content: { docking } }) => ({ ...docking }),
      name: ({ id }) => id
    });
  }
};
