/**
 * The page's only way to its server: every question carries the session's key as a header; no answer is kept.
 */

/**
 * A refusal, or a server that does not answer; its message is one line for the reader.
 */
export class ServerError extends Error {
  /**
   * @param {string} message
   * @param {number} status 0 where no answer came
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export class Server {
  /** @param {string} key */
  constructor(key) {
    this.key = key;
  }

  /**
   * @param {string} path below /api/
   * @param {object} [body] sent as JSON by POST; without one it is a GET
   * @param {AbortSignal} [signal]
   * @returns {Promise<Response>}
   */
  async ask(path, body, signal) {
    const headers = { Authorization: `Bearer ${this.key}` };
    /** @type {RequestInit} */
    const how = body === undefined ? { headers, signal } : { headers, signal, method: "POST", body: JSON.stringify(body) };
    /** @type {Response} */
    let response;
    try {
      response = await fetch(`api/${path}`, { ...how, cache: "no-store", credentials: "omit", redirect: "error" });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ServerError("negtemp does not answer: it has ended, or the connection is lost", 0);
    }
    if (!response.ok) throw new ServerError(await reason(response), response.status);
    return response;
  }

  /**
   * @param {string} path
   * @param {object} [body]
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  async json(path, body, signal) {
    return (await this.ask(path, body, signal)).json();
  }

  /**
   * @param {string} path
   * @param {object} [body]
   * @param {AbortSignal} [signal]
   * @returns {Promise<ArrayBuffer>}
   */
  async bytes(path, body, signal) {
    return (await this.ask(path, body, signal)).arrayBuffer();
  }

  /**
   * The lines of an answer, each an object, as they come. A line that is an error is thrown.
   * @param {string} path
   * @param {object} body
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<any>}
   */
  async *lines(path, body, signal) {
    const response = await this.ask(path, body, signal);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let waiting = "";
    while (reader) {
      const { done, value } = await this.#read(reader, signal);
      const lines = (waiting + (value ?? "")).split("\n");
      waiting = lines.pop() ?? "";
      for (const line of lines) {
        const found = JSON.parse(line);
        if (found.error) throw new ServerError(found.error, 400);
        yield found;
      }
      if (done) return;
    }
  }

  /**
   * @param {ReadableStreamDefaultReader<string>} reader
   * @param {AbortSignal} signal
   */
  async #read(reader, signal) {
    try {
      return await reader.read();
    } catch (error) {
      if (signal.aborted) throw error;
      throw new ServerError("the connection to negtemp was lost on the way", 0);
    }
  }
}

/** @param {Response} response */
async function reason(response) {
  try {
    return String((await response.json()).error);
  } catch {
    return `negtemp answers with status ${response.status}`;
  }
}
