// The status bar's item: servers up and messages a second, in a warning colour when something is wrong.

import * as React from 'react';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ReactWidget, UseSignal } from '@jupyterlab/apputils';
import { IStatusBar } from '@jupyterlab/statusbar';
import { Signal } from '@lumino/signaling';
import { COMMANDS } from './ids';
import { alarms, grave, status as words } from './panel/words';
import { IWorkbench, type Workbench } from './workbench';

class Item extends ReactWidget {
  constructor(
    private workbench: Workbench,
    private open: () => void
  ) {
    super();
    this.addClass('natslab-status');
  }

  protected render() {
    const { workbench } = this;
    return (
      <UseSignal signal={workbench.links.changed} initialSender={workbench.links}>
        {() => this.shown()}
      </UseSignal>
    );
  }

  private shown() {
    const { trans, links } = this.workbench;
    const state = links.active?.state;
    if (!state?.lab) {
      return null;
    }
    const wrong = alarms(state.alarms, trans).map(({ text }) => text);
    return (
      <button
        type="button"
        className={`natslab-status-item${grave(state.alarms) ? ' natslab-warn' : ''}`}
        title={[...wrong, trans.__('Open the NATS panel')].join('\n')}
        onClick={this.open}
      >
        {words(state.servers, state.rate, trans)}
        {wrong.length > 0 && ` \u00b7 ${wrong[0]}`}
      </button>
    );
  }
}

export const status: JupyterFrontEndPlugin<void> = {
  id: 'natslab:status',
  description: 'NATS in the status bar.',
  autoStart: true,
  requires: [IWorkbench],
  optional: [IStatusBar],
  activate: (app: JupyterFrontEnd, workbench: Workbench, bar: IStatusBar | null) => {
    if (!bar) {
      return;
    }
    const { links } = workbench;
    const active = (): boolean => !!links.active?.state?.lab;
    const changed = new Signal<object, void>({});
    let before = false;
    links.changed.connect(() => {
      if (active() !== before) {
        before = active();
        changed.emit();
      }
    });
    bar.registerStatusItem('natslab:status', {
      item: new Item(workbench, () => void app.commands.execute(COMMANDS.panel)),
      align: 'left',
      rank: 900,
      isActive: active,
      activeStateChanged: changed
    });
  }
};
