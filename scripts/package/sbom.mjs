// Writes packages/out/sbom.cdx.json and sbom.spdx.json: what a user of the released version gets. From `npm sbom` the
// dependencies at run time, to which are added what the bundler took into dist, and the platform packages in packages/out with
// what is linked into them.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const out = join(root, 'packages/out');
const manifest = readJson('package.json');
const { name, version, license, homepage, repository, bugs } = manifest;

const parts = [...bundled(), ...Object.keys(readJson('packages/platforms.json')).flatMap(platformPackage)];
mkdirSync(out, { recursive: true });
write('sbom.cdx.json', cyclonedx());
write('sbom.spdx.json', spdx());

/**
 * `npm sbom` of what is published, without the rest of the lock: told to omit development dependencies, it omits what they share
 * with the others as well (commander, in npm 11).
 */
function npmSbom(format) {
  const folder = join(out, 'sbom', name);
  const { dependencies } = manifest;
  const lock = readJson('package-lock.json');
  const released = ([path, entry]) => path !== '' && !(entry.dev || entry.devOptional || entry.peer);
  const packages = Object.entries(lock.packages).filter(released);
  const own = { name, version, license, homepage, repository, bugs, dependencies };
  mkdirSync(folder, { recursive: true });
  writeJson(join(folder, 'package.json'), own);
  writeJson(join(folder, 'package-lock.json'), {
    ...lock,
    packages: { '': own, ...Object.fromEntries(packages) },
  });
  try {
    const options = ['--package-lock-only', '--sbom-format', format];
    return JSON.parse(execFileSync('npm', ['sbom', ...options], { cwd: folder, encoding: 'utf8' }));
  } finally {
    rmSync(join(out, 'sbom'), { recursive: true });
  }
}

/** What is in dist: main.mjs wrote down the licences. */
function bundled() {
  const file = join(out, name, 'THIRD-PARTY-LICENSES');
  if (!existsSync(file)) throw new Error(`${file} is missing: run npm run package:main first`);
  return Array.from(
    readFileSync(file, 'utf8').matchAll(/^(\S+) (\S+) \((.+)\), bundled into dist$/gm),
    ([, part, partVersion, partLicense]) => npmPart(part, partVersion, partLicense),
  );
}

function npmPart(part, partVersion, partLicense, contains = []) {
  const purl = `pkg:npm/${part.replace('@', '%40')}@${partVersion}`;
  return {
    id: `${part}@${partVersion}`,
    name: part,
    version: partVersion,
    license: partLicense,
    purl,
    contains,
  };
}

/** The package for a platform, if it was built here. */
function platformPackage(key) {
  const folder = join('packages/out', `${name}-${key}`);
  if (!existsSync(join(root, folder, 'package.json'))) return [];
  const built = readJson(join(folder, 'package.json'));
  const linked = readJson(join(folder, 'versions.json'));
  return [npmPart(built.name, built.version, built.license, linkedInto(built.name, linked))];
}

function linkedInto(owner, { openblas, lapack, compiler }) {
  const part = (title, partVersion, partLicense) => ({
    id: `${owner}/${title}@${partVersion}`,
    name: title,
    version: partVersion,
    license: partLicense,
  });
  return [
    part('OpenBLAS', openblas, 'BSD-3-Clause'),
    ...(lapack ? [part('LAPACK', lapack, 'BSD-3-Clause')] : []),
    ...(compiler?.startsWith('GNU ')
      ? [part('libstdc++ and libgcc', compiler.slice(4), 'GPL-3.0-or-later WITH GCC-exception-3.1')]
      : []),
  ];
}

function cyclonedx() {
  const bom = npmSbom('cyclonedx');
  const { component } = bom.metadata;
  bom.components.push(...parts.map(cyclonedxComponent));
  const main = bom.dependencies.find(({ ref }) => ref === component['bom-ref']);
  main.dependsOn.push(...parts.map(({ id }) => id));
  bom.dependencies.push(...parts.map(({ id }) => ({ ref: id, dependsOn: [] })));
  return bom;
}

function cyclonedxComponent({ id, name: title, version: v, license: expression, purl, contains = [] }) {
  return {
    'bom-ref': id,
    type: 'library',
    name: title,
    version: v,
    ...(purl ? { purl } : {}),
    licenses: [{ expression }],
    ...(contains.length > 0 ? { components: contains.map(cyclonedxComponent) } : {}),
  };
}

function spdx() {
  const document = npmSbom('spdx');
  const [main] = document.documentDescribes;
  const add = (part, owner, relationshipType) => {
    const id = `SPDXRef-Package-${part.id.replace(/[^A-Za-z0-9.-]+/g, '-')}`;
    document.packages.push(spdxPackage(part, id));
    document.relationships.push({ spdxElementId: owner, relatedSpdxElement: id, relationshipType });
    for (const inner of part.contains ?? []) add(inner, id, 'CONTAINS');
  };
  for (const part of parts) add(part, main, part.contains.length > 0 ? 'DEPENDS_ON' : 'CONTAINS');
  return document;
}

function spdxPackage({ name: title, version: v, license: expression, purl }, id) {
  const reference = { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl };
  return {
    name: title,
    SPDXID: id,
    versionInfo: v,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseDeclared: expression,
    ...(purl ? { externalRefs: [reference] } : {}),
  };
}

function writeJson(path, value) {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}

function write(file, document) {
  writeJson(join(out, file), document);
  console.log(`packages/out/${file}`);
}

function readJson(path) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}
