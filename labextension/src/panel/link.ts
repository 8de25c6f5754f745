// One kernel as the workbench sees it: whether natslab is there, its lab, and answers to questions.

import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';
import { Signal, type ISignal } from '@lumino/signaling';
import { snapshot, VERSION, type Acted, type Dock, type FromKernel, type Questions, type Snapshot } from './wire';

const TARGET = 'natslab';
const HELLO = 'natslab.hello'; // the comm that a kernel says hello on: nobody opens it
const PATIENCE = 2000; // ms
const LONG = 8000; // ms until an idle kernel that has said nothing is asked again

/** connecting: the kernel has not answered yet. absent: it has no natslab. live: it has. lost: it restarts. */
export type Phase = 'connecting' | 'absent' | 'live' | 'lost' | 'dead';

/** What a kernel could not do, in its words; without words it is gone. */
export class Refusal extends Error {
  constructor(
    message: string,
    readonly hint = ''
  ) {
    super(message);
  }
}

/** When a comm has its subshell, or seems never to get one. */
function subshell(comm: Kernel.IComm): Promise<unknown> {
  const started = (comm as { subshellStarted?: Promise<void> }).subshellStarted;
  const patience = new Promise(resolve => setTimeout(resolve, PATIENCE));
  return started ? Promise.race([started.catch(() => undefined), patience]) : Promise.resolve();
}

/**
 * Close a comm, without a word where no kernel is left to hear it. The browser's side of a kernel
 * remembers it all the same (JupyterLab 4.6), so nothing may hang on it.
 */
export function forget(comm: Kernel.IComm, kernel: Kernel.IKernelConnection): void {
  comm.onMsg = comm.onClose = () => undefined;
  if (!comm.isDisposed) {
    try {
      if (kernel.isDisposed || /restarting|dead|terminating/.test(kernel.status)) {
        comm.dispose();
      } else {
        comm.close();
      }
    } catch {
      // The connection is gone, and the comm with it.
    }
  }
}

interface Waiting {
  resolve: (data: never) => void;
  reject: (error: Error) => void;
}

export class KernelLink {
  phase: Phase = 'connecting';
  state: Snapshot | null = null;
  /** This page and notebook, as the kernel knows them. */
  name = '';

  private comm: Kernel.IComm | null = null;
  private parted: Promise<unknown> = Promise.resolve(); // when what is left of the comm before is gone
  private asked = 0;
  private waiting = new Map<number, Waiting>();
  private watched: { on: boolean; hz: number } = { on: false, hz: 2 };
  private over = false;
  private _changed = new Signal<this, void>(this);
  private _docked = new Signal<this, Dock>(this);
  private _acted = new Signal<this, Acted>(this);

  /** `client` names this page and notebook; the same one after a reload takes the place of the former. */
  constructor(
    readonly kernel: Kernel.IKernelConnection,
    private client: Promise<string>
  ) {
    kernel.statusChanged.connect(this.onStatus, this);
    kernel.connectionStatusChanged.connect(this.onConnection, this);
    kernel.iopubMessage.connect(this.onNews, this);
    void this.connect();
  }

  /** Phase or state changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** A line of a cell asked for a view beside the notebook. */
  get docked(): ISignal<this, Dock> {
    return this._docked;
  }

  /** A click in a view was done. */
  get acted(): ISignal<this, Acted> {
    return this._acted;
  }

  /** Whether this kernel's news are wanted, and how many a second at most. */
  watch(on: boolean, hz: number): void {
    if (this.watched.on !== on || this.watched.hz !== hz) {
      this.watched = { on, hz };
      this.send({ op: 'watch', on, hz });
    }
  }

  /** Ask the kernel; rejected with a Refusal when it says no or goes away. */
  async ask<K extends keyof Questions>(op: K, data: Questions[K]['needs']): Promise<Questions[K]['gets']> {
    const id = ++this.asked;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
      if (!this.send({ op, id, ...data } as unknown as JSONObject)) {
        this.waiting.delete(id);
        reject(new Refusal(''));
      }
    });
  }

  /** A view beside the notebook was closed. Its comm cannot be relied on: what it said last may go with its subshell. */
  undock(view: string, of: string[]): void {
    this.send({ op: 'undock', view, of });
  }

  dispose(): void {
    if (this.over) {
      return;
    }
    this.over = true;
    this.drop('dead');
    Signal.clearData(this);
  }

  // --- the comm ---

  private onNews(_: unknown, { header, content }: KernelMessage.IIOPubMessage): void {
    if (header.msg_type === 'comm_msg' && (content as { comm_id?: string }).comm_id === HELLO && this.phase !== 'live') {
      void this.connect();
    }
  }

  private async connect(): Promise<void> {
    const { kernel } = this;
    const client = (this.name = await this.client);
    try {
      await kernel.info; // before that the kernel may not be there yet
    } catch {
      return;
    }
    await this.parted;
    if (this.over || this.comm || kernel.isDisposed || !kernel.handleComms) {
      return;
    }
    const comm = (this.comm = kernel.createComm(TARGET));
    const begun = subshell(comm);
    comm.onMsg = message => {
      if (this.comm === comm) {
        this.hear(message.content.data as unknown as FromKernel);
      }
    };
    comm.onClose = () => {
      if (this.comm === comm) {
        this.comm = null;
        // The next comm must not be given the subshell of this one, which is about to be deleted.
        this.parted = begun.then(() => new Promise(resolve => setTimeout(resolve, 0)));
        this.fail();
        this.set('absent');
      }
    };
    comm.open({ version: VERSION, client });
    // A kernel without natslab closes the comm; until then its first snapshot decides.
    this.send({ op: 'watch', ...this.watched, on: true });
    // One that is busy may not have come to it; one that lost the question is asked again.
    setTimeout(() => {
      if (this.comm === comm && this.phase !== 'live' && kernel.status === 'idle' && !this.over) {
        this.comm = null;
        forget(comm, kernel);
        void this.connect();
      }
    }, LONG);
  }

  private send(data: JSONObject): boolean {
    const { comm } = this;
    if (!comm || comm.isDisposed) {
      return false;
    }
    try {
      comm.send(data);
      return true;
    } catch {
      return false; // the kernel is gone, which its status says too
    }
  }

  private hear(message: FromKernel): void {
    switch (message.op) {
      case 'state':
        if (!this.state || message.seq > this.state.seq) {
          const first = this.phase !== 'live';
          this.state = snapshot(message);
          this.set('live');
          if (first) {
            this.send({ op: 'watch', ...this.watched });
          }
        }
        break;
      case 'answer': {
        const asked = this.waiting.get(message.id);
        this.waiting.delete(message.id);
        if (message.error !== undefined) {
          asked?.reject(new Refusal(message.error, message.hint));
        } else {
          asked?.resolve(message as never);
        }
        break;
      }
      case 'acted':
        this._acted.emit(message);
        break;
      case 'dock':
        this._docked.emit(message);
        break;
    }
  }

  /** Let go of the comm, without a word where nobody is left to hear it. */
  private drop(phase: Phase): void {
    const { comm } = this;
    this.comm = null;
    this.state = null;
    this.fail();
    if (comm) {
      forget(comm, this.kernel);
    }
    this.set(phase);
  }

  private fail(): void {
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    waiting.forEach(({ reject }) => reject(new Refusal('')));
  }

  private set(phase: Phase): void {
    this.phase = phase;
    if (phase !== 'live') {
      this.state = null;
    }
    this._changed.emit();
  }

  // --- the kernel ---

  private onStatus(_: unknown, status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting') {
      this.drop('lost');
    } else if (status === 'dead') {
      this.drop('dead');
    } else if (status === 'starting' || status === 'idle' || status === 'busy') {
      if (this.phase === 'lost' || this.phase === 'dead') {
        this.set('absent'); // a fresh kernel has nothing; its hello says when that changes
      } else {
        this._changed.emit();
      }
    }
  }

  /** After a connection that was lost for a while the comm of before may be gone: begin anew. */
  private onConnection(_: unknown, status: Kernel.ConnectionStatus): void {
    if (status === 'disconnected' || status === 'connecting') {
      if (this.phase === 'live') {
        this.drop('lost');
      }
    } else if (this.phase === 'lost' && !this.comm && this.kernel.status !== 'restarting') {
      void this.connect();
    }
  }
}
