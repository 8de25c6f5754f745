// One frame loop for everything that moves in one stage. It runs only while something does.

/** Draws one moment; `now` is in milliseconds, Infinity means the end. Returns whether it goes on. */
export type Job = (now: number) => boolean;

export class Clock {
  /** Called after every frame in which something moved. */
  moved: () => void = () => undefined;
  private jobs = new Set<Job>();
  private frame = 0;
  private stopped = false;

  /** `seen` says whether anybody can see the stage; what nobody sees ends at once. */
  constructor(private seen: () => boolean) {}

  get busy(): number {
    return this.jobs.size;
  }

  add(job: Job): void {
    if (this.stopped) {
      return;
    }
    if (!this.seen()) {
      job(Infinity);
      return;
    }
    this.jobs.add(job);
    if (!this.frame) {
      this.frame = requestAnimationFrame(this.tick);
    }
  }

  drop(job: Job): void {
    this.jobs.delete(job);
  }

  /** Everything that moves arrives now. */
  settle(): void {
    const jobs = [...this.jobs];
    this.jobs.clear();
    for (const job of jobs) {
      job(Infinity);
    }
  }

  stop(): void {
    this.stopped = true;
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.jobs.clear();
  }

  private tick = (): void => {
    this.frame = 0;
    const now = performance.now();
    for (const job of [...this.jobs]) {
      if (!job(now)) {
        this.jobs.delete(job);
      }
    }
    this.moved();
    if (this.jobs.size && !this.stopped) {
      this.frame = requestAnimationFrame(this.tick);
    }
  };
}
