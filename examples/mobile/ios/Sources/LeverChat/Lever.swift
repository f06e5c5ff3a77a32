import Foundation
import Mobile

/// What the engine threw; `kind` is `MobileKindBusy` or another of its kind.
public struct LeverError: LocalizedError {
    public let kind: String
    public let errorDescription: String?

    init(_ error: Error) {
        kind = MobileKindOf(error)
        errorDescription = error.localizedDescription
    }
}

/// A step of work that takes long, or what it was for.
public enum Step<Value: Sendable>: Sendable {
    case progress(task: String, done: Int64, total: Int64)
    case done(Value)
}

/// A piece of an answer, or the whole of it at the end.
public enum Part: Sendable {
    case text(String)
    /// What a model thinks before it answers.
    case thought(String)
    case whole(Answer)
}

/// What an answer was, and what it took.
public struct Answer: Sendable {
    public let text, thought, finish: String
    public let tokens: Int
    public let tokensPerSecond, tokensPerPass: Double
}

/// A model and a conversation with it. Its methods may be called from any thread, as those of the engine below may.
public final class Lever: @unchecked Sendable {
    private let engine: MobileEngine

    init(_ engine: MobileEngine) { self.engine = engine }

    /// Downloads the store at a URL to a folder. Who iterates no longer ends it; what has come stays, and the next download goes on with it.
    public static func download(_ url: URL, to folder: URL) -> AsyncThrowingStream<Step<Void>, Error> {
        let downloader = Unchecked(MobileNewDownloader(url.absoluteString, folder.path)!)
        return work(cancel: { downloader.value.cancel() }) { yield in
            try downloader.value.download(ProgressSink { yield(.progress(task: $0, done: $1, total: $2)) })
            yield(.done(()))
        }
    }

    /// Opens a model and its draft, which may be missing, with so much memory for the model's weights. Who iterates no longer ends it.
    public static func open(_ model: URL, draft: URL? = nil, memoryBytes: Int64, cache: URL? = nil) -> AsyncThrowingStream<Step<Lever>, Error> {
        let opener = Unchecked(MobileNewOpener(model.path, draft?.path ?? "")!)
        opener.value.memoryBytes = memoryBytes
        opener.value.cacheDir = cache?.path ?? ""
        return work(cancel: { opener.value.cancel() }) { yield in
            let engine = try opener.value.open(ProgressSink { yield(.progress(task: $0, done: $1, total: $2)) })
            yield(.done(Lever(engine)))
        }
    }

    /// Answers the next message of the conversation. Who iterates no longer ends the answer.
    public func answer(_ prompt: String, maxTokens: Int = 0, temperature: Double = 0, jsonSchema: String = "", stop: [String] = []) -> AsyncThrowingStream<Part, Error> {
        Lever.work(cancel: { self.engine.cancel() }) { yield in
            let options = MobileNewOptions()!
            options.maxTokens = maxTokens
            options.temperature = temperature
            options.jsonSchema = jsonSchema
            stop.forEach { options.addStop($0) }
            let a = try self.engine.generate(prompt, options: options, sink: TextSink({ yield(.text($0)) }, thought: { yield(.thought($0)) }))
            yield(.whole(Answer(text: a.text, thought: a.thought, finish: a.finish, tokens: a.tokens, tokensPerSecond: a.tokensPerSecond, tokensPerPass: a.tokensPerPass)))
        }
    }

    public func cancel() { engine.cancel() }
    public func reset() throws { try call { try engine.reset() } }
    public func setSystem(_ text: String) throws { try call { try engine.setSystem(text) } }
    public func setLoad(_ percent: Int) throws { try call { try engine.setLoad(percent) } }
    public func trim(_ level: Int) throws { try call { try engine.trim(level) } }
    public func resize(_ memoryBytes: Int64) throws { try call { try engine.resize(memoryBytes) } }
    public func saveSession(_ file: URL) throws { try call { try engine.saveSession(file.path) } }
    public func loadSession(_ file: URL) throws { try call { try engine.loadSession(file.path) } }
    public func close() throws { try call { try engine.close() } }

    /// Statistics of the answer under way, or of the latest.
    public var statistics: (promptDone: Int, promptTokens: Int, tokens: Int, tokensPerSecond: Double, tokensPerPass: Double) {
        guard let s = engine.statistics() else { return (0, 0, 0, 0, 0) }
        return (s.promptDone, s.promptTokens, s.tokens, s.tokensPerSecond, s.tokensPerPass)
    }

    private func call(_ body: () throws -> Void) throws {
        do { try body() } catch { throw LeverError(error) }
    }

    /// Runs blocking work on a thread of its own, as a stream; cancel ends it when nobody iterates any more.
    private static func work<Element: Sendable>(
        cancel: @escaping @Sendable () -> Void, _ body: @escaping @Sendable (@escaping @Sendable (Element) -> Void) throws -> Void
    ) -> AsyncThrowingStream<Element, Error> {
        AsyncThrowingStream { continuation in
            continuation.onTermination = { end in
                if case .cancelled = end { cancel() }
            }
            Thread.detachNewThread {
                do {
                    try body { continuation.yield($0) }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: LeverError(error))
                }
            }
        }
    }
}

/// Objects of the engine may be used from any thread, which the compiler can't know.
private struct Unchecked<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}

/// Hands progress to a closure.
private final class ProgressSink: NSObject, MobileOpenProgressProtocol {
    private let hear: (String, Int64, Int64) -> Void

    init(_ hear: @escaping (String, Int64, Int64) -> Void) { self.hear = hear }

    func onProgress(_ task: String?, done: Int64, total: Int64) { hear(task ?? "", done, total) }
}

/// Hands text to a closure, and thoughts to another one.
private final class TextSink: NSObject, MobileTokenSinkProtocol {
    private let take, takeThought: (String) -> Void

    init(_ take: @escaping (String) -> Void, thought: @escaping (String) -> Void) {
        self.take = take
        takeThought = thought
    }

    func onText(_ text: String?, ret0_ more: UnsafeMutablePointer<ObjCBool>?) throws {
        take(text ?? "")
        more?.pointee = true
    }

    func onThought(_ text: String?, ret0_ more: UnsafeMutablePointer<ObjCBool>?) throws {
        takeThought(text ?? "")
        more?.pointee = true
    }
}
