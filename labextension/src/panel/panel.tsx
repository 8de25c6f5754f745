// The panel as a widget of JupyterLab.

import * as React from 'react';
import { ReactWidget, UseSignal } from '@jupyterlab/apputils';
import type { Message } from '@lumino/messaging';
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

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.look();
  }

  protected onAfterShow(): void {
    this.look();
  }

  /** Who sees the panel sees the lessons: for nobody they are not read. */
  private look(): void {
    if (this.isVisible) {
      void this.kit.lessons.look();
    }
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
