// The panel as a widget of JupyterLab.

import * as React from 'react';
import { ReactWidget, UseSignal } from '@jupyterlab/apputils';
import { natsIcon } from './icons';
import { KitProvider, type Kit } from './kit';
import { Root } from './root';

export class NatsPanel extends ReactWidget {
  constructor(private kit: Kit) {
    super();
    this.id = 'natslab-panel';
    this.addClass('natslab-panel');
    this.title.icon = natsIcon;
    this.title.caption = kit.trans.__('NATS');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', kit.trans.__('NATS'));
  }

  protected render() {
    const { kit } = this;
    return (
      <KitProvider value={kit}>
        <UseSignal signal={kit.links.changed} initialSender={kit.links}>
          {() => (
            <UseSignal signal={kit.acts.changed} initialSender={kit.acts}>
              {() => (
                <UseSignal signal={kit.lessons.changed} initialSender={kit.lessons}>
                  {() => <Root />}
                </UseSignal>
              )}
            </UseSignal>
          )}
        </UseSignal>
      </KitProvider>
    );
  }
}
