// What a new notebook begins with.

import type { INotebookContent } from '@jupyterlab/nbformat';

export const STARTS = {
  lab: ['%load_ext natslab\n%natslab up', "inbox = %nats sub 'orders.>'\n%nats pub orders.new 'hello'\ninbox", '%natslab view routing', ''],
  cluster: [
    '%load_ext natslab\n%natslab up --servers 3',
    '%natslab view raft --dock right',
    "%js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults\n%nats pub orders.new 'hello' -J",
    ''
  ]
};

/** A notebook of code cells for a kernel. */
export function notebook(cells: string[], kernel: string, display: string): INotebookContent {
  return {
    cells: cells.map((source, i) => ({
      cell_type: 'code',
      id: `cell-${i}`,
      source,
      metadata: {},
      outputs: [],
      execution_count: null
    })),
    metadata: { kernelspec: { name: kernel, display_name: display }, language_info: { name: 'python' } },
    nbformat: 4,
    nbformat_minor: 5
  };
}
