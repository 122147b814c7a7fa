/** What `f` returns, or its error: several of them in one call. */
export async function outcome(f) {
  try {
    return await f();
  } catch (error) {
    if (!error.code) throw error;
    return [error.code, error.message, error.batchIndex, error.bytes];
  }
}

export async function outcomes(...all) {
  const out = [];
  for (const f of all) out.push(await outcome(f));
  return out;
}
