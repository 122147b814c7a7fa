/** An error that is the request's: its status, and a code like those of factored-svd. */
export class RequestError extends Error {
  constructor(statusCode, code, message) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
  }
}

const statuses = {
  ERR_SVD_ARGUMENT: 400,
  ERR_SVD_SHAPE: 400,
  ERR_SVD_TOO_LARGE: 413,
  ERR_SVD_NON_FINITE: 422,
  ERR_SVD_OVERFLOW: 422,
  ERR_SVD_NO_CONVERGENCE: 422,
  ERR_SVD_FILE: 500, // that of the server, not the client's
  ERR_SVD_BINARY: 500,
};

/** The status for an error of factored-svd, by its `code`, of fastify or of this server; 499 where the client has gone. */
export function statusOf(error) {
  if (error.name === 'AbortError') return 499;
  return statuses[error.code] ?? error.statusCode ?? 500;
}
