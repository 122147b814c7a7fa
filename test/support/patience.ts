/** How many times as long as usual everything takes, where the environment says so: under emulation. */
const slowdown = Number(process.env.FACTORED_SVD_TEST_SLOWDOWN ?? 1);

/** The time after which something counts as hanging, which is `time` on a busy machine. In the unit of `time`. */
export function patience(time: number): number {
  return time * slowdown;
}
