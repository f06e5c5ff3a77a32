import Foundation
import Mobile
import Observation
import os
import UIKit

/// The conversation and the model behind it.
@MainActor @Observable
public final class ChatModel {
    public struct Turn: Identifiable {
        public let id = UUID()
        public let question: String
        public var answer = ""
    }

    public private(set) var turns: [Turn] = []
    public private(set) var status = ""
    public private(set) var progress: Double?
    public private(set) var busy = false
    public var isOpen: Bool { lever != nil }

    private let source: URL
    private var lever: Lever?
    private var thinking = false
    private var work: Task<Void, Never>?
    private var observers: [NSObjectProtocol] = []

    /// A chat with the store at a URL, which is downloaded where it is not on the phone.
    public init(source: URL) {
        self.source = source
        _ = ProcessInfo.processInfo.thermalState // or its changes are not told of
        observe(ProcessInfo.thermalStateDidChangeNotification) { $0.cool() }
        observe(UIApplication.didReceiveMemoryWarningNotification) { try? $0.lever?.trim(15) }
        observe(UIApplication.didBecomeActiveNotification) { try? $0.lever?.trim(0) }
        observe(UIApplication.didEnterBackgroundNotification) { $0.hide() }
    }

    public func prepare() {
        run { [self] in
            if !FileManager.default.fileExists(atPath: model.path) {
                for try await step in Lever.download(source, to: model) { show(step) }
            }
            for try await step in Lever.open(model, memoryBytes: memoryForWeights(), cache: folder.appending(path: "cache")) {
                show(step)
                if case .done(let opened) = step { lever = opened }
            }
            cool()
            try? lever?.loadSession(session) // there may be none, or one of another version
            status = "Ready."
        }
    }

    public func send(_ question: String) {
        guard let lever else { return }
        turns.append(Turn(question: question))
        let last = turns.count - 1
        run { [self] in
            let watching = Task { await watch(lever) }
            defer {
                watching.cancel()
                thinking = false
            }
            for try await part in lever.answer(question) {
                switch part {
                case .thought: thinking = true
                case .text(let text):
                    thinking = false
                    turns[last].answer += text
                case .whole(let answer):
                    let speed = String(format: "%.1f tokens/s, %.2f a pass", answer.tokensPerSecond, answer.tokensPerPass)
                    status = (answer.finish == "stop" ? "" : "The answer was cut. ") + speed
                }
            }
        }
    }

    public func stop() { work?.cancel() }

    /// Runs work, of which there is one at a time, and says how it ended.
    private func run(_ body: @escaping @MainActor () async throws -> Void) {
        busy = true
        work = Task {
            do {
                try await body()
                if Task.isCancelled { status = "Stopped." }
            } catch let error as LeverError {
                failed(error)
            } catch {
                status = error.localizedDescription
            }
            busy = false
            progress = nil
        }
    }

    private func failed(_ error: LeverError) {
        switch error.kind {
        case MobileKindCancelled: status = "Stopped."
        case MobileKindDamaged, MobileKindVersion:
            try? FileManager.default.removeItem(at: model)
            status = "The model is damaged. It will be downloaded again."
        case MobileKindMemory: status = "There is too little memory for this model."
        case MobileKindStorage: status = "The phone is full."
        case MobileKindNetwork: status = "The download did not come to its end."
        case MobileKindTooLong:
            try? lever?.reset()
            status = "The conversation is too long; a new one begins."
        default: status = error.localizedDescription
        }
    }

    /// Shows what the answer under way has taken so far.
    private func watch(_ lever: Lever) async {
        while (try? await Task.sleep(for: .milliseconds(500))) != nil {
            let s = lever.statistics
            status = if s.tokens == 0 {
                "Reading the question: \(s.promptDone) of \(s.promptTokens) tokens"
            } else if thinking {
                "Thinking…"
            } else {
                String(format: "%.1f tokens/s, %.2f a pass", s.tokensPerSecond, s.tokensPerPass)
            }
        }
    }

    private func show<Value>(_ step: Step<Value>) {
        guard case .progress(let task, let done, let total) = step else { return }
        status = task
        progress = total > 0 ? Double(done) / Double(total) : nil
    }

    /// A hot phone gets less work, and a very hot one none until it has cooled down.
    private func cool() {
        let load = switch ProcessInfo.processInfo.thermalState {
        case .critical: 0
        case .serious: 40
        case .fair: 80
        default: 100
        }
        try? lever?.setLoad(load)
    }

    /// Ends the answer, which the system would not let go on, and keeps the conversation in case that the app is ended.
    private func hide() {
        stop()
        guard let lever else { return }
        lever.cancel()
        let file = session
        let time = UIApplication.shared.beginBackgroundTask()
        Task.detached {
            try? lever.saveSession(file)
            await UIApplication.shared.endBackgroundTask(time)
        }
    }

    /// Half of what the app may still take leaves room for the draft, the conversation and the screen.
    private func memoryForWeights() -> Int64 { max(Int64(os_proc_available_memory()) / 2, 256 << 20) }

    private var model: URL { folder.appending(path: "model.lever") }
    private var session: URL { folder.appending(path: "chat.session") }

    /// The app's own folder for what it can get again, which is not backed up.
    private var folder: URL {
        var folder = URL.applicationSupportDirectory.appending(path: "lever")
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var values = URLResourceValues()
        values.isExcludedFromBackup = true
        try? folder.setResourceValues(values)
        return folder
    }

    private func observe(_ name: Notification.Name, _ act: @escaping @MainActor (ChatModel) -> Void) {
        observers.append(NotificationCenter.default.addObserver(forName: name, object: nil, queue: .main) { [weak self] _ in
            MainActor.assumeIsolated { if let self { act(self) } }
        })
    }
}
