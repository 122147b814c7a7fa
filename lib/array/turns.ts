/** Yielded in the middle of long work on this thread, so that whatever else waits for it gets a turn. */
export const turn = { turn: true } as const;

/** Work on this thread in slices, between which the event loop can turn. */
export type Turns<T> = Generator<typeof turn, T, void>;

/** All of the work at once. */
export function atOnce<T>(turns: Turns<T>): T {
  for (;;) {
    const step = turns.next();
    if (step.done) return step.value;
  }
}
