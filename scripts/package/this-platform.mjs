/** The key of this system in packages/platforms.json. */
export function thisPlatform() {
  const { glibcVersionRuntime } = process.report.getReport().header;
  const musl = process.platform === 'linux' && !glibcVersionRuntime ? 'musl' : '';
  return `${process.platform}${musl}-${process.arch}`;
}
