// Emits, for a grain interface, the class behind its references: it derives from GrainReference and
// each method packs its arguments into an array and passes them on with the method's index.
// The emitted assembly may see what is internal to the assemblies of the interface: grain
// interfaces need not be public.
using System.Reflection;
using System.Reflection.Emit;
using Orleans.Runtime;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Calls;

internal static class ProxyBuilder
{
    private static readonly Type[] ConstructorTypes = [typeof(Node), typeof(GrainId), typeof(InterfaceDescriptor)];

    private static readonly ConstructorInfo BaseConstructor = typeof(GrainReference)
        .GetConstructor(BindingFlags.Instance | BindingFlags.NonPublic, ConstructorTypes)!;

    public static Type Build(InterfaceDescriptor descriptor)
    {
        if (descriptor.Type.GetEvents().Length > 0 || descriptor.Type.GetProperties().Length > 0)
            throw new NotSupportedException($"Grain interface {descriptor.Type} has properties or events; it may have methods only.");

        var name = $"Proxy.{descriptor.Type.FullName}";
        var assembly = AssemblyBuilder.DefineDynamicAssembly(new AssemblyName(name), AssemblyBuilderAccess.Run);
        var module = assembly.DefineDynamicModule(name);
        AllowAccess(assembly, module, descriptor);
        var type = module.DefineType(name, TypeAttributes.Class | TypeAttributes.Public | TypeAttributes.Sealed,
            typeof(GrainReference), [descriptor.Type]);
        DefineConstructor(type);
        for (var index = 0; index < descriptor.Methods.Count; index++)
            DefineMethod(type, descriptor.Methods[index], index);
        return type.CreateType();
    }

    private static void DefineConstructor(TypeBuilder type)
    {
        var constructor = type.DefineConstructor(MethodAttributes.Public, CallingConventions.Standard, ConstructorTypes);
        var il = constructor.GetILGenerator();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldarg_1);
        il.Emit(OpCodes.Ldarg_2);
        il.Emit(OpCodes.Ldarg_3);
        il.Emit(OpCodes.Call, BaseConstructor);
        il.Emit(OpCodes.Ret);
    }

    private static void DefineMethod(TypeBuilder type, MethodDescriptor descriptor, int index)
    {
        if (descriptor.Method.IsGenericMethodDefinition)
            throw new NotSupportedException($"Grain method {descriptor} is generic, which this host does not support.");

        var method = type.DefineMethod($"{descriptor.Method.DeclaringType!.FullName}.{descriptor.Id}",
            MethodAttributes.Private | MethodAttributes.Virtual | MethodAttributes.Final | MethodAttributes.HideBySig | MethodAttributes.NewSlot,
            descriptor.Method.ReturnType, descriptor.ParameterTypes);
        type.DefineMethodOverride(method, descriptor.Method);
        var il = method.GetILGenerator();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldc_I4, index);
        il.Emit(OpCodes.Ldc_I4, descriptor.ParameterTypes.Length);
        il.Emit(OpCodes.Newarr, typeof(object));
        for (var i = 0; i < descriptor.ParameterTypes.Length; i++)
        {
            il.Emit(OpCodes.Dup);
            il.Emit(OpCodes.Ldc_I4, i);
            il.Emit(OpCodes.Ldarg, i + 1);
            if (descriptor.ParameterTypes[i].IsValueType)
                il.Emit(OpCodes.Box, descriptor.ParameterTypes[i]);
            il.Emit(OpCodes.Stelem_Ref);
        }

        il.Emit(OpCodes.Call, Target(descriptor));
        il.Emit(OpCodes.Ret);
    }

    private static MethodInfo Target(MethodDescriptor descriptor) => descriptor.Kind switch
    {
        ReturnKind.Void => Find(nameof(GrainReference.InvokeVoid)),
        ReturnKind.Task => Find(nameof(GrainReference.InvokeTask)),
        ReturnKind.ValueTask => Find(nameof(GrainReference.InvokeValueTask)),
        ReturnKind.TaskOfT => Find(nameof(GrainReference.InvokeTaskOf)).MakeGenericMethod(descriptor.ResultType),
        ReturnKind.ValueTaskOfT => Find(nameof(GrainReference.InvokeValueTaskOf)).MakeGenericMethod(descriptor.ResultType),
        _ => Find(nameof(GrainReference.InvokeSequence)).MakeGenericMethod(descriptor.ResultType),
    };

    private static MethodInfo Find(string name) =>
        typeof(GrainReference).GetMethod(name, BindingFlags.Instance | BindingFlags.NonPublic)!;

    // The runtime honours this attribute by its name, wherever it is defined.
    private static void AllowAccess(AssemblyBuilder assembly, ModuleBuilder module, InterfaceDescriptor descriptor)
    {
        const string attributeName = "System.Runtime.CompilerServices.IgnoresAccessChecksToAttribute";
        var attribute = module.DefineType(attributeName, TypeAttributes.Class | TypeAttributes.Public, typeof(Attribute));
        var constructor = attribute.DefineConstructor(MethodAttributes.Public, CallingConventions.Standard, [typeof(string)]);
        var il = constructor.GetILGenerator();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Call, typeof(Attribute).GetConstructor(BindingFlags.Instance | BindingFlags.NonPublic, [])!);
        il.Emit(OpCodes.Ret);
        var created = attribute.CreateType().GetConstructor([typeof(string)])!;
        foreach (var name in AssembliesOf(descriptor))
            assembly.SetCustomAttribute(new CustomAttributeBuilder(created, [name]));
    }

    private static IEnumerable<string> AssembliesOf(InterfaceDescriptor descriptor)
    {
        var types = descriptor.Methods.SelectMany(m => m.ParameterTypes.Append(m.Method.ReturnType))
            .Concat(descriptor.Type.GetInterfaces()).Append(descriptor.Type).Append(typeof(GrainReference));
        return types.SelectMany(WithArguments).Select(t => t.Assembly.GetName().Name!).Distinct(StringComparer.Ordinal);
    }

    private static IEnumerable<Type> WithArguments(Type type)
    {
        if (type.HasElementType)
            return WithArguments(type.GetElementType()!);
        return type.IsGenericType ? type.GetGenericArguments().SelectMany(WithArguments).Append(type) : [type];
    }
}
