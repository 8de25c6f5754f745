// What a stage takes for its widget's model: here it is a comm of the workbench's own.

import type { Kernel } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';
import type { Model, ToKernel } from '../stage/wire';

export class Channel implements Model {
  private heard = new Set<(content: unknown) => void>();

  constructor(
    private comm: Kernel.IComm,
    private facts: Record<string, unknown>
  ) {}

  get(name: string): unknown {
    return this.facts[name];
  }

  send(content: ToKernel): void {
    if (this.comm.isDisposed) {
      throw new Error('The kernel is gone.');
    }
    this.comm.send(content as unknown as JSONObject);
  }

  on(event: string, heard: (content: unknown) => void): void {
    if (event === 'msg:custom') {
      this.heard.add(heard);
    }
  }

  off(event: string, heard: (content: unknown) => void): void {
    if (event === 'msg:custom') {
      this.heard.delete(heard);
    }
  }

  /** The kernel said something to the stage. */
  take(content: unknown): void {
    for (const heard of [...this.heard]) {
      heard(content);
    }
  }
}
