// Whether the checkout it runs in can be released under a tag, and what is new in it:
//     node scripts/package/release-notes.mjs v1.2.3
// prints the section of CHANGELOG.md for that version. It fails, with all the reasons, unless the tag, package.json and the
// lock have one version, CHANGELOG.md dates it, and the addresses in package.json are real ones: npm checks provenance
// against `repository`.
import { readFileSync } from 'node:fs';

const [tag = ''] = process.argv.slice(2);
const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const { version } = manifest;
const section = changesOf(readFileSync('CHANGELOG.md', 'utf8'), version);

const problems = [
  ...(tag === `v${version}`
    ? []
    : [`the tag is ${tag || 'missing'}, and package.json has the version ${version}`]),
  ...(lock.version === version ? [] : [`package-lock.json has the version ${lock.version}: run npm install`]),
  ...section.problems,
  ...['homepage', 'repository', 'bugs']
    .filter((field) => JSON.stringify(manifest[field] ?? 'example.invalid').includes('example.invalid'))
    .map((field) => `package.json has no address yet as its ${field}`),
];
if (problems.length > 0) {
  console.error(['This cannot be released:', ...problems.map((problem) => `- ${problem}`)].join('\n'));
  process.exitCode = 1;
} else {
  console.log(section.text);
}

/** What CHANGELOG.md says under `## VERSION - YYYY-MM-DD`, the version in brackets or not. */
function changesOf(changelog, version) {
  const sections = changelog.split(/^## /m).slice(1);
  const found = sections.find((text) => /^\[?([^\]\s]+)/.exec(text)?.[1] === version);
  if (found === undefined) return { problems: [`CHANGELOG.md has no section ${version}`] };
  const [heading, ...lines] = found.split('\n');
  const text = lines.join('\n').trim();
  const [, date] = / - (\d{4}-\d\d-\d\d)$/.exec(heading) ?? [];
  const problems = [
    ...(isDate(date)
      ? []
      : [`CHANGELOG.md: "## ${heading}" does not end with " - " and its date, YYYY-MM-DD`]),
    ...(text === '' ? [`CHANGELOG.md says nothing of ${version}`] : []),
  ];
  return { text, problems };
}

function isDate(text) {
  const time = Date.parse(text);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}
