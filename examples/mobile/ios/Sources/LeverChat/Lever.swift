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

/// What an answer shall be like; the fields are those of the engine's options.
public struct Options: Sendable {
    public var maxTokens = 0
    public var temperature = 0.0, topP = 0.0, minP = 0.0
    public var topK = 0
    public var seed: Int64 = 0
    public var noThinking = false, mustCall = false, json = false
    public var jsonSchema = ""
    public var stop: [String] = []

    public init() {}

    var bound: MobileOptions {
        let o = MobileNewOptions()!
        o.maxTokens = maxTokens
        o.temperature = temperature
        o.topP = topP
        o.minP = minP
        o.topK = topK
        o.seed = seed
        o.noThinking = noThinking
        o.mustCall = mustCall
        o.json = json
        o.jsonSchema = jsonSchema
        stop.forEach { o.addStop($0) }
        return o
    }
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
        return work(cancel: { downloader.value.cancel() }) { emit in
            try downloader.value.download(ProgressSink { emit(.progress(task: $0, done: $1, total: $2)) })
            emit(.done(Void()))
        }
    }

    /// Opens a model and its draft, which may be missing, with so much memory for the model's weights. Who iterates no longer ends it.
    public static func open(_ model: URL, draft: URL? = nil, memoryBytes: Int64, contextTokens: Int = 0, bigCores: Bool = false, cache: URL? = nil, chatTemplate: String = "") -> AsyncThrowingStream<Step<Lever>, Error> {
        let opener = Unchecked(MobileNewOpener(model.path, draft?.path ?? "")!)
        opener.value.memoryBytes = memoryBytes
        opener.value.contextTokens = contextTokens
        opener.value.bigCores = bigCores
        opener.value.cacheDir = cache?.path ?? ""
        opener.value.chatTemplate = chatTemplate
        return work(cancel: { opener.value.cancel() }) { emit in
            let engine = try opener.value.open(ProgressSink { emit(.progress(task: $0, done: $1, total: $2)) })
            emit(.done(Lever(engine)))
        }
    }

    /// Answers the next message of the conversation. Who iterates no longer ends the answer.
    public func answer(_ prompt: String, _ options: Options = Options()) -> AsyncThrowingStream<Part, Error> {
        Lever.work(cancel: { self.engine.cancel() }) { emit in
            let a = try self.engine.generate(prompt, options: options.bound, sink: TextSink({ emit(.text($0)) }, thought: { emit(.thought($0)) }))
            emit(.whole(Answer(text: a.text, thought: a.thought, finish: a.finish, tokens: a.tokens, tokensPerSecond: a.tokensPerSecond, tokensPerPass: a.tokensPerPass)))
        }
    }

    /// Says which functions the model may call, as a JSON list in the form of OpenAI's API; an empty list is none. call gets a function's name and
    /// its arguments, a JSON object; the model is told what it returns or throws.
    public func setTools(_ list: String, call: @escaping @Sendable (String, String) throws -> String) throws {
        try self.call { try engine.setTools(list, caller: ToolSink(call)) }
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

/// Hands calls of functions to a closure.
private final class ToolSink: NSObject, MobileToolCallerProtocol {
    private let call: (String, String) throws -> String

    init(_ call: @escaping (String, String) throws -> String) { self.call = call }

    func callTool(_ name: String?, arguments: String?, error: NSErrorPointer) -> String {
        do {
            return try call(name ?? "", arguments ?? "")
        } catch let thrown {
            error?.pointee = thrown as NSError
            return ""
        }
    }
}
