import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { packageJson } from './tarball.ts';

interface Manifest {
  name: string;
  version: string;
  scripts?: Record<string, string>;
}

/** Older than any age that a package manager asks of a version before it takes it. */
const published = '2020-01-01T00:00:00.000Z';

/**
 * A registry on the loopback interface that has the packages it was given and no other. `npm publish` to it works, so
 * that what is in it is what a real publication would have made of the tarball.
 */
export class Registry {
  readonly #manifests = new Map<string, Map<string, Manifest>>();
  readonly #tarballs = new Map<string, Buffer>();
  readonly #server: Server = createServer((request, response) => {
    this.#answer(request, response).catch((error) => response.writeHead(500).end(String(error)));
  });

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Takes a tarball in as it is. */
  add(tarball: Buffer, manifest: Manifest = packageJson(tarball)): void {
    const { name, version, scripts = {} } = manifest;
    const path = `${name}/-/${name.split('/').at(-1)}-${version}.tgz`;
    this.#tarballs.set(path, tarball);
    const versions = this.#manifests.get(name) ?? new Map<string, Manifest>();
    this.#manifests.set(name, versions);
    const entry = {
      ...manifest,
      _id: `${name}@${version}`,
      hasInstallScript: ['preinstall', 'install', 'postinstall'].some((script) => script in scripts),
      dist: {
        tarball: this.url + path,
        integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
        shasum: createHash('sha1').update(tarball).digest('hex'),
      },
    };
    versions.set(version, entry);
  }

  /** What the registry says of a version, as the client that published it wrote it. */
  manifest(name: string, version: string): Manifest | undefined {
    return this.#manifests.get(name)?.get(version);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = decodeURIComponent(new URL(request.url!, this.url).pathname.slice(1));
    if (request.method === 'PUT') {
      this.#accept(JSON.parse(await text(request)));
      response.writeHead(201, { 'content-type': 'application/json' }).end('{"ok":true}');
      return;
    }
    const tarball = this.#tarballs.get(path);
    if (tarball) {
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(tarball);
      return;
    }
    const versions = this.#manifests.get(path);
    if (!versions) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not found"}');
      return;
    }
    const names = [...versions.keys()];
    response.writeHead(200, { 'content-type': 'application/json' }).end(
      JSON.stringify({
        name: path,
        modified: published,
        time: Object.fromEntries(['created', 'modified', ...names].map((name) => [name, published])),
        'dist-tags': { latest: names[0] },
        versions: Object.fromEntries(versions),
      }),
    );
  }

  #accept(document: {
    versions: Record<string, Manifest>;
    _attachments: Record<string, { data: string }>;
  }): void {
    const [manifest] = Object.values(document.versions);
    const attached = Object.entries(document._attachments).find(([name]) => name.endsWith('.tgz'));
    this.add(Buffer.from(attached![1].data, 'base64'), manifest);
  }
}

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
