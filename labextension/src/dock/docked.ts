// One view beside its notebook: it follows the notebook's kernel, and says why when there is no picture.

import type { Kernel } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { h } from '../stage/dom';
import { forget } from '../panel/link';
import type { Acts } from '../panel/acts';
import { UP } from '../panel/lines';
import type { Links } from '../panel/links';
import { why, type Sorry } from '../panel/words';
import { Channel } from './channel';
import { stageModule } from './module';
import type { Side } from './places';

const TARGET = 'natslab.view';

/** What is kept over a reload of the page. */
export interface Docking {
  path: string; // of the notebook
  view: string;
  of: string[];
  side: Side;
  title: string;
}

export interface Surroundings {
  trans: TranslationBundle;
  links: Links;
  acts: Acts;
  command(id: string, args?: Record<string, string>): void;
}

type Message =
  | { op: 'stage'; esm: string; css: string }
  | { op: 'sorry'; what: string; hint: string }
  | { op: 'fresh' }
  | { op: string };

export class DockedView extends Widget {
  private kernel: Kernel.IKernelConnection | null = null;
  private comm: Kernel.IComm | null = null;
  private stage: AbortController | null = null; // ends the stage that is shown
  private channel: Channel | null = null;
  private esm = '';
  private refused: Sorry | null = null; // by the kernel
  private host = h('div', { class: 'natslab-docked-stage' });
  private note = h('div', { class: 'natslab-docked-sorry', role: 'status' });
  private style = h('style');

  constructor(
    readonly docking: Docking,
    private around: Surroundings
  ) {
    super();
    this.addClass('natslab-docked');
    this.node.append(this.style, this.note, this.host);
    around.links.anyChanged.connect(this.follow, this);
    window.addEventListener('pagehide', this.onLeaving);
    this.follow();
  }

  dispose(): void {
    if (!this.isDisposed) {
      this.around.links.anyChanged.disconnect(this.follow, this);
      window.removeEventListener('pagehide', this.onLeaving);
      const { path, view, of } = this.docking;
      const panel = this.around.links.at(path);
      this.leave();
      if (panel) {
        this.around.links.of(panel)?.undock(view, of);
      }
      super.dispose();
    }
  }

  private onLeaving = (): void => this.leave();

  /** Be where the notebook's kernel is. */
  private follow(): void {
    const { links } = this.around;
    const panel = links.at(this.docking.path);
    const link = panel && links.of(panel);
    const kernel = link?.phase === 'live' ? link.kernel : null;
    if (kernel !== this.kernel || (kernel && !this.comm)) {
      this.leave();
      this.kernel = kernel;
      if (kernel && link) {
        this.open(kernel, link.name);
      }
    }
    this.explain();
  }

  private open(kernel: Kernel.IKernelConnection, client: string): void {
    const { view, of } = this.docking;
    const comm = (this.comm = kernel.createComm(TARGET));
    comm.onMsg = ({ content }) => {
      if (this.comm === comm) {
        void this.hear(content.data as unknown as Message, comm);
      }
    };
    comm.onClose = () => {
      if (this.comm === comm) {
        this.comm = null;
        this.leave();
        this.explain();
      }
    };
    comm.open({ view, of, client });
  }

  private async hear(message: Message, comm: Kernel.IComm): Promise<void> {
    if (message.op === 'stage' && 'esm' in message) {
      this.esm = message.esm;
      this.style.textContent = message.css;
    } else if (message.op === 'sorry' && 'what' in message) {
      this.refused = { what: message.what, next: message.hint };
      this.explain();
    } else if (message.op === 'fresh') {
      this.refused = null;
      await this.draw(comm);
    } else {
      this.channel?.take(message);
    }
  }

  /** A new stage; the one of the lab before is gone. */
  private async draw(comm: Kernel.IComm): Promise<void> {
    this.stage?.abort();
    const end = (this.stage = new AbortController());
    const { default: stage } = await stageModule(this.esm);
    if (!end.signal.aborted && this.comm === comm) {
      const { view, of } = this.docking;
      this.channel = new Channel(comm, { view, of, docked: true, measure: false });
      stage.render({ model: this.channel, el: this.host, signal: end.signal });
      this.explain();
    }
  }

  private leave(): void {
    const { comm, kernel } = this;
    this.stage?.abort();
    this.stage = this.channel = this.comm = this.refused = null;
    if (comm && kernel) {
      forget(comm, kernel);
    }
  }

  // --- why there is no picture ---

  private explain(): void {
    const sorry = this.channel ? null : this.sorry();
    this.note.hidden = !sorry;
    if (!sorry) {
      return;
    }
    const parts: HTMLElement[] = [h('p', { class: 'natslab-docked-what' }, sorry.what), h('p', {}, sorry.next)];
    const offer = this.offer(sorry);
    if (offer) {
      const button = h('button', { type: 'button', class: 'jp-mod-styled jp-mod-accept' }, offer.label);
      button.addEventListener('click', offer.does);
      parts.push(button);
    }
    this.note.replaceChildren(...parts);
  }

  private sorry(): Sorry {
    const { trans, links } = this.around;
    const { path } = this.docking;
    const panel = links.at(path);
    if (!panel) {
      return {
        what: trans.__('Its notebook is closed.'),
        next: trans.__('This view shows the lab of %1.', path),
        offer: 'notebook'
      };
    }
    const link = links.of(panel);
    return (
      why(link?.phase ?? 'no kernel', !!link?.state?.lab, false, trans) ??
      this.refused ?? { what: trans.__('The picture is on its way.'), next: '' }
    );
  }

  private offer(sorry: Sorry): { label: string; does: () => void } | null {
    const { trans, links, acts, command } = this.around;
    const { path } = this.docking;
    const panel = links.at(path);
    switch (sorry.offer) {
      case 'notebook':
        return { label: trans.__('Open it'), does: () => command('docmanager:open', { path }) };
      case 'load':
        return { label: trans.__('Load natslab'), does: () => void acts.load(panel) };
      case 'up':
        return { label: trans.__('Start a lab'), does: () => void acts.run(UP, panel ? links.of(panel) : null) };
      case 'restart':
        return { label: trans.__('Restart the kernel'), does: () => void panel?.sessionContext.restartKernel() };
      default:
        return null;
    }
  }
}
