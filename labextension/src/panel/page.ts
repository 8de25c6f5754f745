// A name for this page of the browser: the same after a reload, another one in another tab.

import type { IStateDB } from '@jupyterlab/statedb';
import { UUID } from '@lumino/coreutils';

const KEY = 'natslab-page';

/** Another tab that was made as a copy of this one has its storage too; whoever has the lock keeps the name. */
async function mine(name: string): Promise<boolean> {
  if (!navigator.locks) {
    return true;
  }
  return new Promise(resolve => {
    void navigator.locks.request(`${KEY}/${name}`, { ifAvailable: true }, lock => {
      resolve(lock !== null);
      return lock ? new Promise(() => undefined) : undefined; // until the page is gone
    });
  });
}

export async function pageName(): Promise<string> {
  let name = sessionStorage.getItem(KEY);
  if (!name || !(await mine(name))) {
    name = UUID.uuid4();
    sessionStorage.setItem(KEY, name);
    void mine(name);
  }
  return name;
}

/** What the panel remembers of how it was left. */
export class Memory {
  private closed = new Set<string>();

  constructor(private db: IStateDB | null) {}

  async load(): Promise<void> {
    const saved = await this.db?.fetch('natslab:panel').catch(() => undefined);
    const closed = (saved as { closed?: string[] } | undefined)?.closed;
    this.closed = new Set(Array.isArray(closed) ? closed : []);
  }

  isOpen(section: string): boolean {
    return !this.closed.has(section);
  }

  toggle(section: string): void {
    if (!this.closed.delete(section)) {
      this.closed.add(section);
    }
    void this.db?.save('natslab:panel', { closed: [...this.closed] });
  }
}
