// The part that all others stand on: kernels, lines, lessons, settings.

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import { Token } from '@lumino/coreutils';
import { PLUGIN } from './ids';
import { Acts } from './panel/acts';
import { UP } from './panel/lines';
import { Lessons } from './panel/lessons';
import type { KernelLink } from './panel/link';
import { Links } from './panel/links';
import { Memory, pageName } from './panel/page';
import { Settings } from './settings';

export interface Workbench {
  trans: TranslationBundle;
  links: Links;
  acts: Acts;
  lessons: Lessons;
  memory: Memory;
  settings: Settings;
}

export const IWorkbench = new Token<Workbench>('natslab:IWorkbench', 'The kernels and labs that natslab looks at.');

/** Start a lab in a kernel whose natslab has just been loaded, where that is wished. */
function autostart({ links, acts, settings }: Workbench): void {
  const seen = new WeakMap<KernelLink, string>();
  links.changed.connect(() => {
    const { active } = links;
    if (!active) {
      return;
    }
    const before = seen.get(active);
    seen.set(active, active.phase);
    if (settings.autostart && active.phase === 'live' && before !== 'live' && active.state && !active.state.lab) {
      void acts.run(UP, active);
    }
  });
}

export const workbench: JupyterFrontEndPlugin<Workbench> = {
  id: PLUGIN,
  description: 'Follows the kernels of the open notebooks and their labs.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ITranslator, IStateDB, ISettingRegistry],
  provides: IWorkbench,
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    translator: ITranslator | null,
    db: IStateDB | null,
    registry: ISettingRegistry | null
  ): Workbench => {
    const links = new Links(tracker, pageName());
    const trans = (translator ?? nullTranslator).load('natslab');
    const made: Workbench = {
      trans,
      links,
      acts: new Acts(links, trans),
      lessons: new Lessons(app.serviceManager.contents, tracker, app.restored),
      memory: new Memory(db),
      settings: new Settings()
    };
    const { settings } = made;
    settings.changed.connect(() => {
      links.pace(settings.hz);
      // The stage of every view reads these, wherever it is.
      document.documentElement.style.setProperty('--natslab-scale', String(settings.scale));
      document.body.dataset.natslabMotion = settings.motion;
      document.dispatchEvent(new Event('natslab:wishes'));
    });
    registry
      ?.load(PLUGIN)
      .then(loaded => settings.follow(loaded))
      .catch(() => undefined); // the defaults do
    autostart(made);
    return made;
  }
};
