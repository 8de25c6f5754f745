// What was clicked, as lines: in which kernel and lab that was, and how much of it is kept.

const KEPT = 8; // of each kernel

/** A line that a button stood for, and what became of it. */
export interface Done {
  n: number;
  line: string; // as in a cell
  kernel: string; // its id; "" where there was none
  lab: number; // when the lab began, unix seconds; 0 where there was none
  running: boolean;
  said: string;
  hint: string;
  failed: boolean;
  /** Of what a view did: its number there. */
  act?: number;
}

/** The newest first, without those that nobody looks for any more. */
export function kept(list: Done[]): Done[] {
  const counts = new Map<string, number>();
  return list.filter(({ kernel }) => {
    const count = (counts.get(kernel) ?? 0) + 1;
    counts.set(kernel, count);
    return count <= KEPT;
  });
}

/** Whether a line was for a lab before the one that began at `lab`. */
export function past(done: Done, lab: number): boolean {
  return done.lab > 0 && done.lab < lab;
}
